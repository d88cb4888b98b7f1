// SPDX-License-Identifier: Apache-2.0
// Some samples of a pool, copied out of it one behind the other, so that a sweep over them
// reads nothing else: not the rows between them, nor the file that the pool lies in.
#pragma once

#include <algorithm>
#include <cstdint>

#include "buffer.h"
#include "factors.h"
#include "mapped_rows.h"
#include "rows.h"

namespace fisher_select::cpu {

class GatheredSamples {
public:
    /// Vectors keep their width; probabilities become float64, which holds either exactly.
    /// `rows` ascend.
    GatheredSamples(const Factors& pool, const RowList& rows) : factors_(pool) {
        const VectorsView& x = pool.vectors;
        if (x.dtype == DType::float32)
            gather(x, rows, singles_);
        else
            gather(x, rows, doubles_);
        const MatrixView& p = pool.probabilities;
        if (p.data == nullptr) return;
        probabilities_ = Buffer<double>({rows.count, p.cols}, kPurpose, kRemedy);
        for (int64_t i = 0; i < rows.count; ++i)
            for (int64_t c = 0; c < p.cols; ++c)
                probabilities_[i * p.cols + c] = p.at(rows[i], c);
        factors_.probabilities = {
            probabilities_.data(), DType::float64, rows.count, p.cols, p.cols, 1};
    }
    GatheredSamples(const GatheredSamples&) = delete;  // factors_ points into the buffers
    GatheredSamples& operator=(const GatheredSamples&) = delete;

    const Factors& factors() const { return factors_; }

private:
    static constexpr const char* kPurpose = "the rows that the prefilter keeps";
    static constexpr const char* kRemedy = "lower prefilter";

    template <class T>
    void gather(const VectorsView& x, const RowList& rows, Buffer<T>& to) {
        constexpr int64_t kAtOnce = 64;  // rows of a mapped file that are held together
        to = Buffer<T>({x.slots, rows.count, x.length}, kPurpose, kRemedy);
        for (int64_t begin = 0; begin < rows.count; begin += kAtOnce) {
            const int64_t size = std::min(kAtOnce, rows.count - begin);
            for (int64_t slot = 0; slot < x.slots; ++slot)
                copy_rows(x, rows, begin, size, slot,
                          to.data() + (slot * rows.count + begin) * x.length);
            if (streams(x, {nullptr, x.rows})) {
                const int64_t first = rows[std::max<int64_t>(begin - 1, 0)];
                let_go(x, first, rows[begin + size - 1] + 1 - first);
            }
        }
        factors_.vectors = {to.data(), dtype_of<T>(), rows.count,           x.slots,
                            x.length,  x.length,      rows.count * x.length};
    }

    Buffer<float> singles_;  // one of the two: [slots, rows, length]
    Buffer<double> doubles_;
    Buffer<double> probabilities_;  // [rows, C]
    Factors factors_;
};

}  // namespace fisher_select::cpu
