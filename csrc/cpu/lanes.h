// SPDX-License-Identifier: Apache-2.0
// The pool state is laid out in blocks of sixteen candidates, one a vector lane.
#pragma once

#include <cstdint>

namespace fisher_select::cpu {

constexpr int kLanes = 16;

/// Blocks of candidates that n rows fill; the last one is padded.
constexpr int64_t lane_blocks(int64_t n) { return (n + kLanes - 1) / kLanes; }

}  // namespace fisher_select::cpu
