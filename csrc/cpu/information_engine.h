// SPDX-License-Identifier: Apache-2.0
// The CPU's engine for the stages of a selection by information (information_stages.h).
#pragma once

#include <string>
#include <vector>

#include "dispatch.h"
#include "information.h"
#include "information_objective.h"
#include "information_options.h"
#include "screened_picker.h"

namespace fisher_select::cpu {

class InformationStage {
public:
    InformationStage(const Context& context, const Factors& factors, Information& information,
                     const StageProblem& problem, const std::string& instruction_set)
        : context_(context),
          taken_(problem.taken),
          greedy_(problem.greedy),
          objective_(context, factors, problem.rows, information, problem.direction,
                     problem.precision, problem.pool, instruction_set) {}

    GreedyResult run() { return pick_greedily(context_, objective_, taken_, greedy_); }
    void settle() { objective_.settle(); }
    const std::vector<double>& path() const { return objective_.path(); }

private:
    const Context& context_;
    std::vector<char> taken_;
    GreedyOptions greedy_;
    InformationObjective objective_;
};

struct InformationEngine {
    Information information(double lam, PoolFisher pool_fisher) const {
        return {context, factors, pool_kernels<double>(instruction_set), lam, pool_fisher};
    }
    InformationStage stage(Information& information, const StageProblem& problem) const {
        return {context, factors, information, problem, instruction_set};
    }
    void finish() const {}

    const Context& context;
    const Factors& factors;
    const std::string& instruction_set;
};

}  // namespace fisher_select::cpu
