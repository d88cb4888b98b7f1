// SPDX-License-Identifier: Apache-2.0
// The inner loops of information gain on a device: a block of pool samples against a tile of
// evaluation samples.
#pragma once

#include <cstdint>

#include "device.h"

namespace fisher_select::cuda {

/// Evaluation samples whose changes are added up by the same threads.
constexpr int64_t kGainSegment = 64;

template <class T>
struct GainTile {
    int classes = 2;
    int64_t rows = 0, count = 0;      // pool samples, evaluation samples
    const T* products = nullptr;      // [count, ld]: <x_j, x_a>
    int64_t ld = 0;                   // at least rows
    T rate = 0, bias = 0;             // t = rate (product + bias)
    const T* s = nullptr;             // [count, classes]: log q_j + H(q_j)
    const T* q = nullptr;             // [count, classes]: softmax of the logits
    const T* h = nullptr;             // [count]: H(q_j)
    const T* p = nullptr;             // [rows, classes]: probabilities of the pool samples
    const double* weights = nullptr;  // [rows, classes]: w_c of each label
    double* partial = nullptr;        // [segments of the tile, ld]: work
    double* change = nullptr;         // [rows] += sum over j and c of w_c (H2 - H1)
    T* work = nullptr;                // [gain_workspace]
};

/// Values that `work` needs: none unless there are more classes than registers.
int64_t gain_workspace(const Device& device, int classes);

/// Adds the tile. The sums' order depends on the segments alone, which the caller keeps to
/// multiples of kGainSegment in the evaluation set.
template <class T>
void add_changes(const Device& device, const GainTile<T>& tile);

}  // namespace fisher_select::cuda
