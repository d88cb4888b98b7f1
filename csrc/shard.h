// SPDX-License-Identifier: Apache-2.0
// A pool that several processes hold together, each some of its rows, and what they tell each
// other: whatever library does the telling, the core sees three functions.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace fisher_select {

/// Each is called by all ranks at the same places, with the same counts. Throws where a rank
/// is gone, or the user wants to stop.
struct Collective {
    int rank = 0, ranks = 1;

    /// Adds up values [count] over the ranks, in place; all get the same bits.
    std::function<void(double* values, int64_t count)> sum;

    /// all [ranks, count] <- everybody's own [count].
    std::function<void(const double* own, int64_t count, double* all)> gather;

    /// values [count] of `root` to all.
    std::function<void(double* values, int64_t count, int root)> broadcast;
};

/// One rank's part of a pool: rows [first, first + what the factors hold) of `rows`.
struct Shard {
    Collective collective;
    int64_t first = 0;
    int64_t rows = 0, labeled = 0;  // of the whole pool
    std::vector<int64_t> replay;    // picks of a broken run, to begin with: rows of the pool

    /// Told of each pick, replayed ones included, on every rank.
    std::function<void(int64_t row, double score)> picked = [](int64_t, double) {};
};

}  // namespace fisher_select
