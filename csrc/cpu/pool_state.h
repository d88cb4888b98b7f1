// SPDX-License-Identifier: Apache-2.0
// G_i and H_i of every candidate (DESIGN section 3), in float32 or float64, and the sweep that
// updates them: a GEMM a chunk of rows, then the r x r work while its products are in cache.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "buffer.h"
#include "context.h"
#include "factors.h"
#include "information.h"
#include "information_options.h"
#include "pool_kernels.h"

namespace fisher_select::cpu {

template <class T>
class PoolState {
public:
    /// State of the candidates `rows`: 2 n groups r (r + 1) / 2 values (log-det: half), and
    /// n (link_size() + mean_size()) for the links.
    PoolState(const Context& context, const Factors& factors, const RowList& rows,
              const PoolKernels<T>& kernels, const PoolOptions& options);
    ~PoolState();

    /// G, H and the scores from Q and P: n d^2 c (c + 1) / 2 multiplications or so, each.
    void reset(const Information& information);

    /// One commit: U | R [groups, c, 2 r, length] of the sample that M gained (or lost).
    /// 2 n d groups c r multiplications, and reads the pool once.
    void update(const Buffer<double>& panel);

    /// sign tr(H (I + sign G)^-1), or sign log det(I + sign G), of each candidate
    /// [rows.count]: higher is better.
    const T* scores() const { return score_.data(); }

    /// The largest tr(H) (log-det: tr(G)) of a free candidate: the scale of the errors that
    /// updates leave behind.
    double largest_trace(const std::vector<char>& taken) const;

private:
    struct Worker;  // one thread's buffers, kept from sweep to sweep

    PoolChunk<T> chunk(int64_t begin, int64_t size, T* work);
    void load_links();
    void raw_products_by_class(const Information& information, bool of_p, const T* x,
                               int64_t stride, int64_t rows, Worker& worker) const;
    void raw_products_by_slot(const Information& information, bool of_p, int64_t begin,
                              int64_t rows, Worker& worker) const;
    template <class Body>
    void for_chunks(bool resetting, const Body& body);

    const Context& context_;
    const Factors& factors_;
    RowList rows_;
    const PoolKernels<T>& kernels_;
    PoolOptions options_;
    int64_t chunk_rows_, reset_rows_;  // multiples of kLanes
    Buffer<T> s_, mu_, g_, h_, score_;
    Buffer<T> panel_;
    bool resetting_ = false;
    std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace fisher_select::cpu
