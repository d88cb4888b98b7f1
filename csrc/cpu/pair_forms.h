// SPDX-License-Identifier: Apache-2.0
// The kernel of a screen (subspace_screen.h): many symmetric forms of a candidate's few
// coordinates. A GEMM over the products of the coordinates would have to write and pack them
// first; here they never leave the registers. For pool_kernels.cpp alone, which is compiled
// once per instruction set: nothing in here may be shared by the copies.
#pragma once

#include <cstdint>

#include "lane_vector.h"
#include "pool_kernels.h"

namespace fisher_select::cpu {
namespace {

// Sums that fit the registers, beside what is added to them: blocks of candidates times
// columns.
#if defined(__AVX512F__)
constexpr int kFormBlocks = 2, kFormTile = 12;
#elif defined(__AVX2__)
constexpr int kFormBlocks = 1, kFormTile = 6;
#else
constexpr int kFormBlocks = 1, kFormTile = 2;
#endif

/// kBlocks blocks of candidates, kColumns columns: a product is made once for all of these
/// columns, and a weight is read once for all of these candidates.
template <class T, int kBlocks, int kColumns>
void form_tile(const T* a, const T* b, int64_t q, int64_t ld, const T* weights, T* out,
               int64_t ldout) {
    Lanes<T> sum[kColumns][kBlocks] = {};
    for (int64_t i = 0; i < q; ++i) {
        Lanes<T> ai[kBlocks], bi[kBlocks];
        for (int k = 0; k < kBlocks; ++k) {
            ai[k] = load(a + i * ld + k * kLanes) * T{0.5};
            bi[k] = load(b + i * ld + k * kLanes) * T{0.5};
        }
        for (int64_t j = 0; j <= i; ++j, weights += kFormColumns) {
            Lanes<T> product[kBlocks];
            for (int k = 0; k < kBlocks; ++k)
                product[k] = ai[k] * load(b + j * ld + k * kLanes) +
                             bi[k] * load(a + j * ld + k * kLanes);
            for (int c = 0; c < kColumns; ++c)
                for (int k = 0; k < kBlocks; ++k) sum[c][k] += product[k] * weights[c];
        }
    }
    for (int c = 0; c < kColumns; ++c)
        for (int k = 0; k < kBlocks; ++k)
            *reinterpret_cast<Lanes<T>*>(out + c * ldout + k * kLanes) = sum[c][k];
}

template <class T, int kColumns>
void form_columns(const T* a, const T* b, int64_t q, int64_t ld, int64_t blocks,
                  const T* weights, T* out, int64_t ldout) {
    constexpr int64_t kWidth = kFormBlocks * kLanes;
    const int64_t end = blocks * kLanes;
    int64_t at = 0;
    for (; at + kWidth <= end; at += kWidth)
        form_tile<T, kFormBlocks, kColumns>(a + at, b + at, q, ld, weights, out + at, ldout);
    for (; at < end; at += kLanes)
        form_tile<T, 1, kColumns>(a + at, b + at, q, ld, weights, out + at, ldout);
}

template <class T>
void pair_forms(const T* a, const T* b, int64_t q, int64_t ld, int64_t blocks, const T* weights,
                int64_t ldw, int64_t columns, T* out, int64_t ldout) {
    for (int64_t c = 0; c < columns;) {
        const T* own = weights + c / kFormColumns * ldw * kFormColumns + c % kFormColumns;
        const auto take = [&](auto form, int many) {
            form(a, b, q, ld, blocks, own, out + c * ldout, ldout);
            c += many;
        };
        const int64_t left = columns - c;
        if (left >= kFormTile)
            take(form_columns<T, kFormTile>, kFormTile);
        else if (kFormTile > 6 && left >= 6)
            take(form_columns<T, 6>, 6);
        else if (left >= 2)
            take(form_columns<T, 2>, 2);
        else
            take(form_columns<T, 1>, 1);
    }
}

}  // namespace
}  // namespace fisher_select::cpu
