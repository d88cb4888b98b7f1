// SPDX-License-Identifier: Apache-2.0
// Distances of all rows to their nearest centres, and the row with the largest key among them.
//
// A pick streams over all rows and reads 20 bytes of each: the limit under which a centre
// matters, and the first part of the summary; few rows need more of it, and the rows that it
// cannot rule out have their distances computed in full. At a million rows these 20 MB stay in
// the cache of an H200, where reading the rows themselves would take 2 GB at d = 512. A queue
// of stale rows, as the CPU keeps, would touch fewer bytes, but one row after the other.
#pragma once

#include <cstdint>

#include "embedding.h"

namespace fisher_select::cuda {

/// The key of rows out of the running.
constexpr double kExcluded = -kInfinity;
/// The limit of rows that no centre can change: excluded, or at a centre already.
constexpr float kSettled = -1.0f;
/// Stands for a centre where there is none.
constexpr int64_t kNoCenter = -1;

constexpr int kRowsEach = 4;  // of a thread: their loads overlap
constexpr int kTileRows = kRowsEach * kThreads;
constexpr int kMostCenters = 32;  // that a launch lets the rows meet

/// The state of the rows. A tile is what one block looks at; its best row is kept, so the
/// largest key of all is found without reading every row's.
struct NearestView {
    double* square;     // [n] to the nearest centre met so far; infinite before the first
    float* limit;       // [n] the same, scaled, and the row's slack: may_be_nearer's
    double* key;        // [n] what the largest is wanted of
    double* tile_key;   // [tiles] the largest key of a tile
    int64_t* tile_row;  // [tiles] its row, ties to the lowest
    unsigned long long* computed;  // distances computed in full
};

struct Lower {
    __device__ __forceinline__ int64_t operator()(int64_t a, int64_t b) const {
        return b < a ? b : a;
    }
};

/// The best of the block's (key, row) pairs, ties to the lowest row; every thread gets it.
/// `keys`, `rows`: room for one value a warp.
__device__ __forceinline__ void block_best(double& key, int64_t& row, double* keys,
                                           int64_t* rows) {
    const double best = block_reduce(key, Larger{}, keys);
    row = block_reduce(key == best ? row : INT64_MAX, Lower{}, rows);
    key = best;
}

/// Keeps the best row of the block's tile. All threads of the block call it.
__device__ __forceinline__ void rank_tile(const NearestView& nearest, int64_t n) {
    __shared__ double keys[kThreads / kWarp];
    __shared__ int64_t rows[kThreads / kWarp];
    const int64_t tile = blockIdx.x;
    double key = kExcluded;
    int64_t row = INT64_MAX;
    for (int j = 0; j < kRowsEach; ++j) {
        const int64_t at = tile * kTileRows + j * kThreads + threadIdx.x;
        if (at < n && (row == INT64_MAX || nearest.key[at] > key)) {
            key = nearest.key[at];
            row = at;
        }
    }
    block_best(key, row, keys, rows);
    if (threadIdx.x == 0) {
        nearest.tile_key[tile] = key;
        nearest.tile_row[tile] = row;
    }
}

/// Copies the summaries of `count` centres, which all threads may read after a barrier.
/// Returns whether the thread has met a centre out of the block's own tile.
__device__ __forceinline__ bool load_centers(const SummaryView& summaries,
                                             const int64_t* centers, int count,
                                             CenterSummary* to) {
    bool own = false;
    const int fields = 4 * summaries.part_count;
    for (int at = static_cast<int>(threadIdx.x); at < count * fields; at += kThreads) {
        const int field = at % fields;
        const int64_t row = centers[at / fields];
        CenterSummary& center = to[at / fields];
        center.field[field] = summaries.field(field, row);
        if (field != 0) continue;
        center.slack = summaries.slack[row];
        center.row = row;
        own = own || row / kTileRows == blockIdx.x;
    }
    return own;
}

/// Lists the rows of the block's tile, relative to `begin`, that the centre may be nearest to.
/// Their order is any. A barrier before, with *found 0, and one after.
__device__ __forceinline__ void find_near(const SummaryView& summaries,
                                          const NearestView& nearest, int64_t begin,
                                          const CenterSummary& center, int* found, int* near) {
    float limit[kRowsEach];
    float4 first[kRowsEach];
    for (int j = 0; j < kRowsEach; ++j) {
        const int64_t row = begin + j * kThreads + threadIdx.x;
        const bool inside = row < summaries.rows;
        limit[j] = inside ? nearest.limit[row] : kSettled;
        first[j] = inside ? summaries.part(0, row) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    }
    __syncthreads();  // the centres have been loaded, and the last list been read
    for (int j = 0; j < kRowsEach; ++j) {
        const int at = j * kThreads + static_cast<int>(threadIdx.x);
        if (limit[j] >= 0.0f && summaries.may_be_nearer(begin + at, first[j], limit[j], center))
            near[atomicAdd(found, 1)] = at;
    }
    __syncthreads();
}

/// Lets all rows meet `count` centres, one after the other. Rule::nearer(nearest, row, before,
/// square) learns of every distance that falls. T is the width of the features.
/// Cost: see above; a full distance reads a row, 3 d float64 flops, by one warp.
template <class T, bool kGradient, class Rule>
__global__ void __launch_bounds__(kThreads)
    meet_centers(PointsView points, SummaryView summaries, NearestView nearest, Rule rule,
                 const int64_t* centers, int count) {
    __shared__ CenterSummary center[kMostCenters];
    __shared__ int near[kTileRows], found;
    if (centers[0] == kNoCenter) return;
    const int64_t begin = static_cast<int64_t>(blockIdx.x) * kTileRows;
    const int warp = static_cast<int>(threadIdx.x) / kWarp;
    // A centre is out of the running: its tile needs another best row.
    bool changed = load_centers(summaries, centers, count, center);
    int64_t computed = 0;
    for (int c = 0; c < count; ++c) {
        if (threadIdx.x == 0) found = 0;
        find_near(summaries, nearest, begin, center[c], &found, near);
        computed += found;
        for (int i = warp; i < found; i += kThreads / kWarp) {
            const int64_t row = begin + near[i];
            const double square = squared_distance<T, kGradient>(points, row, center[c].row);
            if (threadIdx.x % kWarp != 0) continue;
            const double before = nearest.square[row];
            if (!(square < before)) continue;
            nearest.square[row] = square;
            nearest.limit[row] = square > 0.0 ? summaries.limit(row, square) : kSettled;
            rule.nearer(nearest, row, before, square);
            changed = true;
        }
        __syncthreads();  // the list and the limits may change again
    }
    if (threadIdx.x == 0 && computed > 0)
        atomicAdd(nearest.computed, static_cast<unsigned long long>(computed));
    if (__syncthreads_or(changed)) rank_tile(nearest, summaries.rows);
}

}  // namespace fisher_select::cuda
