// SPDX-License-Identifier: Apache-2.0
// The samples that the ranks of a sharded pool have picked, copied to every one of them: what
// is committed, and the candidates of the backward stage.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "buffer.h"
#include "factors.h"
#include "shard.h"

namespace fisher_select::cpu {

/// Samples one behind the other, a record each: its vectors [slots, length], then its
/// probabilities [C]. float64 holds either width exactly.
class PickedSamples {
public:
    PickedSamples(const Factors& pool, int64_t capacity)
        : pool_(pool),
          size_(pool.vectors.slots * pool.length() + pool.probabilities.cols),
          records_({capacity, size_}, "the samples picked", "lower batch_size or oversample"),
          twin_(static_cast<size_t>(size_)),
          factors_(pool) {
        VectorsView& x = factors_.vectors;
        x = {records_.data(), DType::float64, 0, x.slots, x.length, size_, x.length, 1};
        if (pool.probabilities.data != nullptr)
            factors_.probabilities = {records_.data() + x.slots * x.length,
                                      DType::float64,
                                      0,
                                      pool.probabilities.cols,
                                      size_,
                                      1};
    }
    PickedSamples(const PickedSamples&) = delete;  // factors_ points into records_
    PickedSamples& operator=(const PickedSamples&) = delete;

    const Factors& factors() const { return factors_; }
    int64_t count() const { return factors_.vectors.rows; }

    /// Appends the sample that lies at `row` of the owner's pool (elsewhere `row` means
    /// nothing).
    void add(const Collective& collective, int owner, int64_t row) {
        fetch(collective, owner, row, records_.data() + count() * size_);
        ++factors_.vectors.rows;
        if (factors_.probabilities.data != nullptr) ++factors_.probabilities.rows;
    }

    /// Whether another rank's sample is the last one of these to the last bit.
    bool last_is(const Collective& collective, int owner, int64_t row) {
        fetch(collective, owner, row, twin_.data());
        return std::equal(twin_.begin(), twin_.end(), records_.data() + (count() - 1) * size_);
    }

private:
    void fetch(const Collective& collective, int owner, int64_t row, double* record) const {
        if (collective.rank == owner) {
            const VectorsView& x = pool_.vectors;
            for (int64_t slot = 0; slot < x.slots; ++slot)
                pool_.load_vector(row, static_cast<int>(slot), record + slot * x.length);
            double* p = record + x.slots * x.length;
            for (int64_t c = 0; c < pool_.probabilities.cols; ++c)
                p[c] = pool_.probabilities.at(row, c);
        }
        collective.broadcast(record, size_, owner);
    }

    const Factors& pool_;
    int64_t size_;
    Buffer<double> records_;
    std::vector<double> twin_;
    Factors factors_;
};

}  // namespace fisher_select::cpu
