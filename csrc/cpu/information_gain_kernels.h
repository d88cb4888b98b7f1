// SPDX-License-Identifier: Apache-2.0
// The inner loops of information gain, compiled once per instruction set and chosen at run
// time: a block of pool samples against a tile of evaluation samples, all in cache.
#pragma once

#include <cstdint>

namespace fisher_select::cpu {

/// Pool samples of a block; a multiple of the lanes of any instruction set.
constexpr int64_t kGainRows = 64;

template <class T>
struct GainTile {
    int classes = 2;
    int64_t count = 0;            // evaluation samples
    const T* products = nullptr;  // [count, kGainRows]: <x_j, x_a>
    T rate = 0, bias = 0;         // t = rate (product + bias)
    const T* s = nullptr;         // [count, classes]: log q_j + H(q_j)
    const T* q = nullptr;         // [count, classes]: softmax of the logits
    const T* h = nullptr;         // [count]: H(q_j)
    const T* p = nullptr;         // [classes, kGainRows]: probabilities of the pool samples
    double* change = nullptr;     // [classes, kGainRows] += sum over j of H2 - H1
    T* work = nullptr;            // [gain_workspace(classes)] of this thread
};

/// Values a thread needs for `work`: a few arrays of a vector a class.
constexpr int kGainArrays = 6;
constexpr int64_t gain_workspace(int classes) { return int64_t{kGainArrays} * classes * 16; }

template <class T>
struct GainKernels {
    void (*add_changes)(const GainTile<T>& tile);
};

}  // namespace fisher_select::cpu
