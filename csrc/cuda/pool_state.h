// SPDX-License-Identifier: Apache-2.0
// G_i and H_i of every candidate on a device (DESIGN section 3), in float32 or float64: a GEMM
// a chunk of rows, then a thread a candidate, which works with candidate.h as the CPU does.
// Entry e of candidate i lies at [e * n + i], so that neighbouring threads touch neighbouring
// values.
#pragma once

#include <cstdint>
#include <vector>

#include "candidate.h"
#include "device.h"
#include "factors.h"
#include "information.h"
#include "information_options.h"
#include "memory.h"
#include "pool_kernels.h"
#include "pool_rows.h"

namespace fisher_select::cuda {

template <class T>
class PoolState {
public:
    /// State of the candidates `rows` (on the device): 2 n groups r (r + 1) / 2 values
    /// (log-det: half), and n (link_size() + mean_size()) for the links.
    PoolState(const Device& device, const Factors& factors, const RowList& rows,
              const PoolOptions& options);

    /// G, H and the scores from Q and P.
    void reset(const Information& information);

    /// One commit: the panel U | R [groups, c, 2 r, length] of the sample that M gained (or
    /// lost), already scaled. 2 n d groups c r multiplications; reads the pool and reads and
    /// writes the state once. Does nothing where *stopped is not 0.
    void update(const int* stopped);

    /// What update() reads: [panel_columns, length].
    T* panel() const { return panel_.data(); }
    /// sign tr(H (I + sign G)^-1), or sign log det(I + sign G), of each candidate [rows.count].
    const T* scores() const { return score_.data(); }
    std::vector<T> download_scores() const { return score_.download(); }

    /// error_scale <- the largest tr(H) (log-det: tr(G)) of a free candidate, on the device.
    void largest_trace(const char* taken, double* error_scale) const;

private:
    PoolChunk<T> chunk(int64_t begin, int64_t size) const;
    void raw_products_by_class(const Information& information, bool of_p, int64_t begin,
                               int64_t size);
    void raw_products_by_slot(const Information& information, bool of_p, int64_t begin,
                              int64_t size);
    void multiply_block(const double* block, int64_t ld, const RowChunk<T>& x, int64_t size);

    const Device& device_;
    const Factors& factors_;
    PoolOptions options_;
    PoolRows<T> rows_;
    int64_t count_, chunk_rows_;
    DeviceBuffer<T> s_, mu_, g_, h_, score_;
    DeviceBuffer<T> panel_, products_, work_;
    DeviceBuffer<T> matrix_, images_;  // of a reset: a block of Q or P, and its products
};

}  // namespace fisher_select::cuda
