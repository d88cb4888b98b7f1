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
#include "quadratic_forms.h"
#include "rows.h"

namespace fisher_select::cpu {

/// What is kept of the candidates: values of each, sixteen candidates a block. Within a block a
/// lane each, for sweeps, or one candidate behind the other, for visits to a few of them.
template <class T>
struct PoolArrays {
    Buffer<T> s, mu, g, h;
    Buffer<T> score;  // one a candidate
};
enum class Layout { lanes, rows };

class PoolVisitor;

template <class T>
class PoolState {
public:
    /// State of the candidates `rows`: 2 n groups r (r + 1) / 2 values (log-det: half), and
    /// n (link_size() + mean_size()) for the links.
    PoolState(const Context& context, const Factors& factors, const RowList& rows,
              const PoolKernels<T>& kernels, const PoolOptions& options,
              Layout layout = Layout::lanes);
    ~PoolState();

    /// G, H and the scores from Q and P, the arrays in lanes from then on: n d^2 c (c + 1) / 2
    /// multiplications or so, each.
    void reset(const Information& information);

    /// One commit: U | R [groups, c, 2 r, length] of the sample that M gained (or lost).
    /// 2 n d groups c r multiplications, and reads the pool once. In lanes only.
    void update(const Buffer<double>& panel);

    /// `panel` as the pool multiplies it: scaled, in its precision; and an update by that.
    void scale_panel(const Buffer<double>& panel, T* to) const;
    void sweep(const T* scaled_panel);
    int64_t panel_size() const { return panel_.size(); }

    const Factors& factors() const { return factors_; }
    const RowList& rows() const { return rows_; }
    const PoolKernels<T>& kernels() const { return kernels_; }

    /// Multiplications of a candidate's part in a reset, and in an update.
    double reset_cost() const;
    double update_cost() const;

    /// sign tr(H (I + sign G)^-1), or sign log det(I + sign G), of each candidate
    /// [rows.count]: higher is better.
    const T* scores() const { return arrays_.score.data(); }

    /// The largest tr(H) (log-det: tr(G)) of the candidates that are not `left_out`: the scale
    /// of the errors that updates leave behind.
    double largest_trace(const std::vector<char>& left_out) const;

private:
    friend class PoolVisitor;
    struct Worker;  // one thread's buffers, kept from sweep to sweep

    /// body(array, values of it a candidate) for every array in use but the scores.
    template <class Body>
    void for_arrays(const Body& body);
    /// Likewise of the links alone, and of G and H alone.
    template <class Body>
    void for_links(const Body& body);
    template <class Body>
    void for_state(const Body& body);
    PoolChunk<T> chunk(PoolArrays<T>& arrays, int64_t begin, int64_t size, T* work) const;
    void multiply(const RowChunk<T>& x, int64_t size, const T* panel, int64_t slot, T* products,
                  int64_t stride) const;
    void load_links();
    void links_to_lanes();
    /// A candidate's values, of an array with `width` of them each.
    template <class Array>
    auto values_of(Array& array, int64_t width, int64_t candidate) const {
        auto* block = array.data() + candidate / kLanes * width * kLanes;
        const int64_t lane = candidate % kLanes;
        return layout_ == Layout::rows ? Strided{block + lane * width, 1}
                                       : Strided{block + lane, kLanes};
    }
    void reset_chunk(const PoolChunk<T>& chunk, const Information& information,
                     const RowChunk<T>* x, int64_t rows, QuadraticForms<T>& forms,
                     const PackedBlocks<T>* packed = nullptr) const;
    template <class Body>
    void for_chunks(bool resetting, const Body& body);

    const Context& context_;
    const Factors& factors_;
    RowList rows_;
    const PoolKernels<T>& kernels_;
    PoolOptions options_;
    int64_t chunk_rows_, reset_rows_;  // multiples of kLanes
    PoolArrays<T> arrays_;
    Layout layout_;
    Buffer<T> panel_;
    bool resetting_ = false;
    std::vector<std::unique_ptr<Worker>> workers_;
};

template <class T>
template <class Body>
void PoolState<T>::for_arrays(const Body& body) {
    for_links(body);
    for_state(body);
}

template <class T>
template <class Body>
void PoolState<T>::for_links(const Body& body) {
    if (!arrays_.s.empty()) body(&PoolArrays<T>::s, factors_.link_size());
    if (!arrays_.mu.empty()) body(&PoolArrays<T>::mu, factors_.mean_size());
}

template <class T>
template <class Body>
void PoolState<T>::for_state(const Body& body) {
    const int64_t values = int64_t{factors_.groups} * triangle(factors_.rank);
    body(&PoolArrays<T>::g, values);
    if (!arrays_.h.empty()) body(&PoolArrays<T>::h, values);
}

}  // namespace fisher_select::cpu
