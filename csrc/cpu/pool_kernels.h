// SPDX-License-Identifier: Apache-2.0
// The inner loops of a pool sweep, compiled once per instruction set (pool_kernels.cpp) and
// chosen at run time. All work on one chunk of rows that lies in cache.
#pragma once

#include <cstdint>

#include "candidate.h"
#include "lanes.h"

namespace fisher_select::cpu {

/// State of one chunk of candidates, `blocks` blocks of kLanes. A candidate has `groups`
/// independent r x r problems (one a label for sigmoid outputs, else one in all); within a
/// block, entry e of group g lies at [(g * entries + e) * kLanes].
template <class T>
struct PoolChunk {
    Link link = Link::identity;
    Criterion criterion = Criterion::trace;
    int rank = 1, classes = 1, groups = 1;
    int64_t blocks = 0;
    const T* s = nullptr;   // [blocks, groups, links, kLanes], as Factors::link_coefficients
    const T* mu = nullptr;  // [blocks, means, kLanes]
    int links = 1, means = 0;
    T* G = nullptr;      // [blocks, groups, r (r + 1) / 2, kLanes]
    T* H = nullptr;      // like G, trace only
    T* score = nullptr;  // [blocks, kLanes]: sign times tr(H (I + sign G)^-1) or log det(...)
    T* work = nullptr;   // [workspace(...)] of this thread
};

/// Values a thread needs for `work`: TY [r, 2 r] and packed triangles, kLanes each.
constexpr int64_t workspace(int rank, int inner) {
    return int64_t{kLanes} * (2 * rank * rank + triangle(rank) + inner + triangle(inner));
}

template <class T>
struct PoolKernels {
    /// Updates G, H by the products [groups, c, columns, ld] (candidates contiguous) of one
    /// commit and writes the scores.
    void (*update)(const PoolChunk<T>& chunk, const T* products, int64_t ld, T sign);
    /// Scores alone.
    void (*score)(const PoolChunk<T>& chunk, T sign);
    /// G or H (`state`) from raw products S [groups, triangle(inner), ld]: scale L^T S L.
    void (*reset)(const PoolChunk<T>& chunk, const T* raw, int64_t ld, T scale, T* state);
    /// out[j, i] = <x_i, u_j>: few columns against many rows, at the speed of reading x.
    /// x [rows, length] with stride ldx, u [columns, length], out [columns, ldout].
    void (*dots)(const T* x, int64_t ldx, int64_t rows, int64_t length, const T* u, int columns,
                 T* out, int64_t ldout);
    /// One square block A [side, side], read once for both of its products with `count` vectors
    /// x [count, side]: right[v] = A x_v and left[v] = A^T x_v, vectors `stride` apart.
    void (*two_sided)(const T* a, int64_t lda, int64_t side, const T* x, int count, T* right,
                      T* left, int64_t stride);
    /// out[i] = <x_i, y_i>, both [rows, length].
    void (*row_dots)(const T* x, int64_t ldx, const T* y, int64_t ldy, int64_t rows,
                     int64_t length, T* out);
    /// Symmetric forms of a, b [q, ld], of `blocks` blocks of candidates: out [columns, ldout],
    ///     out[c] = sum over i >= j of weights[c, (i, j)] (a_i b_j + a_j b_i) / 2.
    /// Weights lie in panels of kFormColumns columns [panels, ldw, kFormColumns].
    void (*pair_forms)(const T* a, const T* b, int64_t q, int64_t ld, int64_t blocks,
                       const T* weights, int64_t ldw, int64_t columns, T* out, int64_t ldout);
    const char* instruction_set;
};

/// Columns of a panel of weights, which are read together: a multiple of what any kernel takes.
constexpr int64_t kFormColumns = 12;

/// Columns up to which `dots` beats a GEMM, which packs x first.
constexpr int kFewColumns = 8;

}  // namespace fisher_select::cpu
