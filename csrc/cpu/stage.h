// SPDX-License-Identifier: Apache-2.0
// One greedy stage over information: the driver with its objective, and what the result keeps
// of both.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "information_objective.h"
#include "ops.h"
#include "screened_picker.h"

namespace fisher_select::cpu {

/// Picks and scores of the stage; its path, with what the objective is blind to, and its drift
/// are booked in `result`.
inline GreedyResult run_stage(const Context& context, InformationObjective& objective,
                              std::vector<char> taken, const GreedyOptions& options,
                              double blind, InformationResult& result) {
    GreedyResult stage = pick_greedily(context, objective, std::move(taken), options);
    result.refreshes += stage.refreshes;
    result.max_drift = std::max(result.max_drift, stage.max_drift);
    for (double value : objective.path()) result.objective.push_back(value + blind);
    return stage;
}

}  // namespace fisher_select::cpu
