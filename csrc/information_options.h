// SPDX-License-Identifier: Apache-2.0
// What the parts of an engine over information are told, on every backend.
#pragma once

#include <cstdint>
#include <vector>

#include "candidate.h"
#include "greedy.h"
#include "search.h"
#include "view.h"

namespace fisher_select {

/// What F is, if there is one: log det M needs neither F nor P.
enum class PoolFisher { mean, identity, none };

enum class Direction { add, remove };
enum class Precision { float32, float64 };

struct PoolOptions {
    Criterion criterion = Criterion::trace;
    double scale = 1.0;      // of every factor
    double sign = 1.0;       // 1 scores additions to M, -1 removals
    int64_t chunk_rows = 0;  // 0: by the size of a cache, or of a workspace
    SearchOptions search;
};

/// One greedy stage: candidates `rows`, of which `taken` [rows.count] is 1 for those that must
/// not be picked.
struct StageProblem {
    RowList rows;
    std::vector<char> taken;
    Direction direction = Direction::add;
    Precision precision = Precision::float32;
    PoolOptions pool;
    GreedyOptions greedy;
};

/// 1 for rows that must not be picked.
inline std::vector<char> mask(int64_t n, const RowList& excluded) {
    std::vector<char> taken(static_cast<size_t>(n), 0);
    for (int64_t i = 0; i < excluded.count; ++i) taken[static_cast<size_t>(excluded[i])] = 1;
    return taken;
}

}  // namespace fisher_select
