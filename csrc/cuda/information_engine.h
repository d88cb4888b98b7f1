// SPDX-License-Identifier: Apache-2.0
// A device's engine for the stages of a selection by information (information_stages.h).
#pragma once

#include <vector>

#include "device.h"
#include "greedy.h"
#include "information.h"
#include "information_options.h"
#include "information_picker.h"
#include "pool_state.h"
#include "prefilter.h"

namespace fisher_select::cuda {

class InformationStage {
public:
    InformationStage(const Device& device, const Context& context, const Factors& factors,
                     Information& information, const StageProblem& problem)
        : context_(context),
          greedy_(problem.greedy),
          picker_(device, factors, information, problem) {}

    GreedyResult run() { return Greedy<InformationPicker>(context_, picker_, greedy_).run(); }
    void settle() { picker_.settle(); }
    const std::vector<double>& path() const { return picker_.path(); }

private:
    const Context& context_;
    GreedyOptions greedy_;
    InformationPicker picker_;
};

struct InformationEngine {
    Information information(double lam, PoolFisher pool_fisher) const {
        return {device, factors, lam, pool_fisher};
    }
    InformationStage stage(Information& information, const StageProblem& problem) const {
        return {device, context, factors, information, problem};
    }
    void finish() const { device.synchronize(); }

    int64_t slice_rows() const {
        constexpr int64_t kSliceBytes = int64_t{1} << 28;
        return fisher_select::slice_rows(factors, kSliceBytes);
    }

    /// Gains of all samples of `slice`, on the host.
    std::vector<double> gains(const Information& information, const Factors& slice,
                              const PoolOptions& options) const {
        PoolState<double> state(device, slice, {nullptr, slice.count()}, options);
        state.reset(information);
        return state.download_scores();
    }

    const Device& device;
    const Context& context;
    const Factors& factors;
};

}  // namespace fisher_select::cuda
