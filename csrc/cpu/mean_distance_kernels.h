// SPDX-License-Identifier: Apache-2.0
// The inner loop of mean distances, compiled once per instruction set
// (mean_distance_kernels.cpp) and chosen at run time.
#pragma once

#include <cstdint>

#include "lanes.h"
#include "mean_distance.h"

namespace fisher_select::cpu {

/// References come in whole groups, the last one filled up with anything finite.
constexpr int64_t kReferenceGroup = 8;

/// A block of rows meets some references.
struct DistanceTile {
    const double* rows;        // [length, kLanes], scaled
    const double* inside;      // [kLanes]: 1 for rows, 0 for lanes beyond the last one
    const double* references;  // [count to a whole group, length], scaled
    int64_t count;
    int64_t length;
    SumAnchors anchors;
    double* row_sums;        // [kSumLevels, kLanes], added to
    double* reference_sums;  // [count, kSumLevels, kLanes], added to; or nullptr
};

struct MeanDistanceKernels {
    /// Adds the distances to the sums. That of two rows is a function of these two alone, the
    /// same in either order: its squares are summed in the order of the elements.
    void (*add_distances)(const DistanceTile& tile);
};

}  // namespace fisher_select::cpu
