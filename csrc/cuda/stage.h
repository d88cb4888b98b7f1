// SPDX-License-Identifier: Apache-2.0
// One greedy stage over information on a device: the driver with its picker, and what the
// result keeps of both.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "greedy.h"
#include "information_picker.h"
#include "ops.h"

namespace fisher_select::cuda {

/// 1 for rows that must not be picked.
inline std::vector<char> mask(int64_t n, const RowList& excluded) {
    std::vector<char> taken(static_cast<size_t>(n), 0);
    for (int64_t i = 0; i < excluded.count; ++i) taken[static_cast<size_t>(excluded[i])] = 1;
    return taken;
}

/// Picks and scores of the stage; its path, with what the objective is blind to, and its drift
/// are booked in `result`.
inline GreedyResult run_stage(const Context& context, InformationPicker& picker,
                              const GreedyOptions& options, double blind,
                              InformationResult& result) {
    GreedyResult stage = Greedy<InformationPicker>(context, picker, options).run();
    result.refreshes += stage.refreshes;
    result.max_drift = std::max(result.max_drift, stage.max_drift);
    for (double value : picker.path()) result.objective.push_back(value + blind);
    return stage;
}

}  // namespace fisher_select::cuda
