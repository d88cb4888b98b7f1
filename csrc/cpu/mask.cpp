// SPDX-License-Identifier: Apache-2.0
// Diagonal Fisher information: its accumulation, and the mask of its largest entries.
#include <algorithm>
#include <array>
#include <cmath>

#include "error.h"
#include "input_errors.h"
#include "ops.h"
#include "parallel.h"
#include "rows.h"
#include "top_k.h"

namespace fisher_select::cpu {
namespace {

using Range = MaskProblem::Range;

void append_chunks(Range range, Chunks& chunks) {
    for (int64_t begin = range.begin; begin < range.end; begin += kChunk)
        chunks.push_back({begin, std::min(begin + kChunk, range.end)});
}

/// The layer less the ranges of `always`; `next` is the first of them that may touch it.
Chunks free_chunks(Range layer, const std::vector<Range>& always, size_t& next) {
    Chunks chunks;
    int64_t begin = layer.begin;
    while (next < always.size() && always[next].begin < layer.end) {
        append_chunks({begin, always[next].begin}, chunks);
        begin = std::min(always[next].end, layer.end);
        if (always[next].end > layer.end) break;  // it reaches into the next layer
        ++next;
    }
    append_chunks({begin, layer.end}, chunks);
    return chunks;
}

[[noreturn]] void report_first_bad(const ValuesView& view) {
    for (int64_t i = 0; i < view.count; ++i) {
        const double value = value_at(view.data, view.dtype, i * view.stride);
        if (!(std::isfinite(value) && value >= 0.0)) throw bad_diagonal(i, value);
    }
    throw std::logic_error("fisher_select bug, please report: a bad entry was not found again");
}

template <class T>
std::vector<int64_t> top_k(const Context& context, const MaskProblem& problem) {
    TopK<T> top(context, problem.diagonal);
    Chunks not_chosen_from;
    for (const Range& range : problem.always) append_chunks(range, not_chosen_from);

    std::vector<int64_t> kept;
    kept.reserve(static_cast<size_t>(problem.count()));
    bool sound = true;
    size_t next = 0;
    Range layer;
    for (size_t l = 0; l < problem.layer_sizes.size() && sound; ++l) {
        layer = {layer.end, layer.end + problem.layer_sizes[l]};
        const Chunks chunks = free_chunks(layer, problem.always, next);
        if (problem.quotas[l] > 0)
            sound = top.select(chunks, problem.quotas[l], kept);
        else
            not_chosen_from.insert(not_chosen_from.end(), chunks.begin(), chunks.end());
    }
    if (!sound || !top.check(not_chosen_from)) report_first_bad(problem.diagonal);

    const size_t chosen = kept.size();
    for (const Range& range : problem.always)
        for (int64_t i = range.begin; i < range.end; ++i) kept.push_back(i);
    std::inplace_merge(kept.begin(), kept.begin() + static_cast<int64_t>(chosen), kept.end());
    return kept;
}

/// Columns [begin, end) of the sum, all rows.
template <class G, class T>
void add_squares(const MatrixView& gradients, const double* weights, int64_t begin, int64_t end,
                 double* sum, G* packed, T* total) {
    const int64_t count = end - begin;
    std::fill(sum, sum + count, 0.0);
    for (int64_t i = 0; i < gradients.rows; ++i) {
        const G* row = static_cast<const G*>(gradients.data) + i * gradients.row_stride +
                       begin * gradients.col_stride;
        if (gradients.col_stride != 1) {
            pack_row(row, gradients.col_stride, count, packed);
            row = packed;
        }
        const double weight = weights[i];
        for (int64_t j = 0; j < count; ++j) {
            const double g = static_cast<double>(row[j]);
            sum[j] += weight * (g * g);
        }
    }
    for (int64_t j = 0; j < count; ++j)
        total[begin + j] = static_cast<T>(static_cast<double>(total[begin + j]) + sum[j]);
}

template <class G, class T>
void accumulate(const Context& context, const MatrixView& gradients, const double* weights,
                T* total) {
    constexpr int64_t kColumns = 2048;  // their sums stay in a core's first-level cache
    const int64_t tasks = (gradients.cols + kColumns - 1) / kColumns;
    parallel_for(context, tasks, [&](int64_t task, int) {
        std::array<double, kColumns> sum;
        std::array<G, kColumns> packed;
        add_squares(gradients, weights, task * kColumns,
                    std::min((task + 1) * kColumns, gradients.cols), sum.data(), packed.data(),
                    total);
    });
}

}  // namespace

std::vector<int64_t> top_k_mask(const Context& context, const MaskProblem& problem) {
    try {
        return problem.diagonal.dtype == DType::float32 ? top_k<float>(context, problem)
                                                        : top_k<double>(context, problem);
    } catch (const std::bad_alloc&) {
        throw OutOfMemory("a mask of " + std::to_string(problem.count()) + " parameters",
                          20.0 * static_cast<double>(problem.count()), "lower k");
    }
}

void accumulate_squares(const Context& context, const MatrixView& gradients,
                        const double* weights, DType total_dtype, void* total) {
    const bool narrow = gradients.dtype == DType::float32;
    if (total_dtype == DType::float32 && narrow)
        accumulate<float>(context, gradients, weights, static_cast<float*>(total));
    else if (total_dtype == DType::float32)
        accumulate<double>(context, gradients, weights, static_cast<float*>(total));
    else if (narrow)
        accumulate<float>(context, gradients, weights, static_cast<double*>(total));
    else
        accumulate<double>(context, gradients, weights, static_cast<double*>(total));
}

}  // namespace fisher_select::cpu
