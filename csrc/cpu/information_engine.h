// SPDX-License-Identifier: Apache-2.0
// The CPU's engine for the stages of a selection by information (information_stages.h), over a
// whole pool or, together with other ranks, over a shard of it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "dispatch.h"
#include "gathered_samples.h"
#include "information.h"
#include "information_objective.h"
#include "information_options.h"
#include "ops.h"
#include "picked_samples.h"
#include "prefilter.h"
#include "screened_picker.h"
#include "sharded_picker.h"

namespace fisher_select::cpu {

class InformationStage {
public:
    InformationStage(const Context& context, const Factors& factors, Information& information,
                     const StageProblem& problem, const std::string& instruction_set,
                     const Shard* shard = nullptr, PickedSamples* picked = nullptr)
        : context_(context),
          shard_(shard),
          picked_(picked),
          taken_(problem.taken),
          greedy_(problem.greedy),
          objective_(context, factors, problem.rows, information, problem.direction,
                     problem.precision, problem.pool, instruction_set) {}

    GreedyResult run() {
        if (shard_ == nullptr) {
            GreedyResult found = pick_greedily(context_, objective_, taken_, greedy_);
            found.search_share = objective_.search_share();
            return found;
        }
        using Picker = ShardedPicker<InformationObjective>;
        Picker picker(objective_, taken_, greedy_.rtol, *shard_, *picked_);
        return Greedy<Picker>(context_, picker, greedy_).run();
    }
    void settle() { objective_.settle(); }
    const std::vector<double>& path() const { return objective_.path(); }

private:
    const Context& context_;
    const Shard* shard_;  // candidates are a shard's, or nullptr
    PickedSamples* picked_;
    std::vector<char> taken_;
    GreedyOptions greedy_;
    InformationObjective objective_;
};

class InformationEngine {
public:
    /// At most `picks` samples are added.
    InformationEngine(const Context& context, const InformationProblem& problem, int64_t picks)
        : context_(context), problem_(problem) {
        if (problem.shard) picked_ = std::make_unique<PickedSamples>(problem.factors, picks);
    }

    Information information(double lam, PoolFisher pool_fisher) const {
        return {context_, problem_.factors, pool_kernels<double>(problem_.instruction_set),
                lam,      pool_fisher,      problem_.shard};
    }

    /// Additions from a list of rows read a copy of them. Removals from the picks of a sharded
    /// pool are every rank's own work: `rows` of them.
    InformationStage stage(Information& information, const StageProblem& stage) {
        if (stage.direction == Direction::add && !stage.rows.all()) {
            gathered_ = std::make_unique<GatheredSamples>(problem_.factors, stage.rows);
            StageProblem among = stage;
            among.rows.index = nullptr;
            return {context_, gathered_->factors(), information, among,
                    problem_.instruction_set};
        }
        const bool replicated = picked_ && stage.direction == Direction::remove;
        return {context_,
                replicated ? picked_->factors() : problem_.factors,
                information,
                stage,
                problem_.instruction_set,
                replicated ? nullptr : problem_.shard,
                picked_.get()};
    }
    void finish() const {}

    int64_t slice_rows() const {
        constexpr int64_t kSliceBytes = int64_t{1} << 26;
        return fisher_select::slice_rows(problem_.factors, kSliceBytes);
    }

    /// Gains of all samples of `slice`.
    std::vector<double> gains(const Information& information, const Factors& slice,
                              const PoolOptions& options) const {
        PoolState<double> state(context_, slice, {nullptr, slice.count()},
                                pool_kernels<double>(problem_.instruction_set), options);
        state.reset(information);
        return {state.scores(), state.scores() + slice.count()};
    }

private:
    const Context& context_;
    const InformationProblem& problem_;
    std::unique_ptr<PickedSamples> picked_;
    std::unique_ptr<GatheredSamples> gathered_;
};

}  // namespace fisher_select::cpu
