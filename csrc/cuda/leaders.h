// SPDX-License-Identifier: Apache-2.0
// The leaders of a screen: the free candidates within the margin of the best score.
#pragma once

#include <cstdint>

#include "device.h"
#include "factors.h"
#include "pick_state.h"

namespace fisher_select::cuda {

constexpr int kScreenBlock = 1024;  // candidates that share one maximum

/// Collects state->leaders from scores [rows.count], or stops as unsound where a free score is
/// not finite. `best` has room for one maximum a kScreenBlock candidates. Reads the scores
/// once, and again those of blocks with a leader.
template <class T>
void collect_leaders(const Device& device, const Factors& factors, const RowList& rows,
                     const T* scores, const char* taken, double* best, PickState* state);

}  // namespace fisher_select::cuda
