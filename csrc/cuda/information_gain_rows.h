// SPDX-License-Identifier: Apache-2.0
// What information gain needs of single samples on a device: their features as a GEMM wants
// them, the tables of the evaluation set, probabilities and label weights of the pool.
#pragma once

#include <cstdint>

#include "device.h"
#include "view.h"

namespace fisher_select::cuda {

/// to [block, width] <- rows [begin, begin + count) of the vectors, and zeros after the last
/// row and the last element: one shape for all products, whatever the caller's layout.
template <class T>
void pack_rows(const Device& device, const VectorsView& vectors, int64_t begin, int64_t count,
               int64_t block, int64_t width, T* to);

/// Tables of `count` evaluation samples; see GainTile.
template <class T>
struct EvaluationTables {
    T *s = nullptr, *q = nullptr, *h = nullptr;
    double* entropy = nullptr;  // h before it was rounded
};
template <class T>
void fill_tables(const Device& device, const double* logits, const double* bias, int64_t count,
                 int classes, const EvaluationTables<T>& tables);

/// A block of pool samples [begin, begin + count) as labels weigh them.
template <class T>
struct WeightedRows {
    int64_t begin = 0, count = 0;
    int classes = 2;
    const double* logits = nullptr;         // [count, classes], without the bias
    const double* bias = nullptr;           // [classes] or nullptr
    MatrixView given;                       // [n, classes], or no rows: softmax of the logits
    const double* class_weights = nullptr;  // [classes]
    bool by_probability = true, normalize = false;
    T* p = nullptr;                            // [count, classes], out
    double* weights = nullptr;                 // [count, classes], out
    double* left = nullptr;                    // [count], out: 1 - sum of the weights
    unsigned long long* weightless = nullptr;  // lowest row whose weights add up to 0, so far
};
template <class T>
void weigh_rows(const Device& device, const WeightedRows<T>& rows);

}  // namespace fisher_select::cuda
