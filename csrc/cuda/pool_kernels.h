// SPDX-License-Identifier: Apache-2.0
// The kernels of a pool sweep: a thread a candidate, the mathematics of candidate.h.
#pragma once

#include <cstdint>

#include "candidate.h"
#include "device.h"

namespace fisher_select::cuda {

/// State of a chunk of candidates; entry e of candidate i at [e * stride + i].
template <class T>
struct PoolChunk {
    Link link = Link::identity;
    Criterion criterion = Criterion::trace;
    int rank = 1, classes = 1, groups = 1;
    int64_t size = 0, stride = 0;
    int links = 1;          // of a group
    const T* s = nullptr;   // [groups, links], as Factors::link_coefficients
    const T* mu = nullptr;  // [mean_size]
    T* G = nullptr;         // [groups, r (r + 1) / 2]
    T* H = nullptr;         // like G, trace only
    T* score = nullptr;     // sign times tr(H (I + sign G)^-1) or log det(...)
    T* work = nullptr;      // [workspace()] of stride `size`, for ranks not compiled in
};

/// Values a candidate needs for `work`: TY [r, 2 r] and a packed triangle, or S and a row.
int64_t workspace(int rank, int inner);

/// G, H and the scores from the products [groups, c, columns, ld] (candidates contiguous) of
/// one commit. Reads and writes the state, reads the products. Nothing where *stopped is not 0.
template <class T>
void update_chunk(const Device& device, const PoolChunk<T>& chunk, const T* products,
                  int64_t ld, T sign, const int* stopped);

/// Scores alone.
template <class T>
void score_chunk(const Device& device, const PoolChunk<T>& chunk, T sign);

/// G or H (`state`) from raw products S [groups, triangle(inner), ld]: scale L^T S L.
template <class T>
void reset_chunk(const Device& device, const PoolChunk<T>& chunk, const T* raw, int64_t ld,
                 T scale, T* state);

/// out[i] += <x_i, y_i>, both [rows, length]: a warp a row.
template <class T>
void add_row_dots(const Device& device, const T* x, int64_t ldx, const T* y, int64_t ldy,
                  int64_t rows, int64_t length, T* out);

}  // namespace fisher_select::cuda
