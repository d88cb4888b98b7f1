// SPDX-License-Identifier: Apache-2.0
// The pool sweep on a device; see pool_state.h. What is here is which rows, which buffers,
// which GEMM: the kernels are in pool_kernels.cu.
#include "pool_state.h"

#include <algorithm>

#include "launch.h"
#include "pool_kernels.h"
#include "reduce.h"

namespace fisher_select::cuda {
namespace {

constexpr int64_t kChunkValues = int64_t{1} << 26;  // of products: 256 MB in float32
constexpr const char* kRemedy = "select from a part of the pool, or with fewer classes";
constexpr const char* kPurpose = "a chunk's workspace";
constexpr const char* kLower = "lower chunk_rows";

/// s, mu [link_size, n] of every candidate; a thread a candidate. `scratch` [size, links +
/// means].
template <class T>
__global__ void load_links(Factors f, RowList rows, int64_t begin, int64_t size, int64_t n,
                           double* scratch, T* s, T* mu) {
    const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (i >= size) return;
    const int64_t links = f.link_size(), means = f.mean_size();
    double *own_s = scratch + i * (links + means), *own_mu = own_s + links;
    f.link_coefficients(rows[begin + i], own_s, own_mu);
    for (int64_t a = 0; a < links; ++a) s[a * n + begin + i] = static_cast<T>(own_s[a]);
    for (int64_t a = 0; a < means; ++a) mu[a * n + begin + i] = static_cast<T>(own_mu[a]);
}

/// The block [rows, columns] of a matrix in precision T.
template <class T>
__global__ void convert_block(const double* from, int64_t ld, int64_t rows, int64_t columns,
                              T* to) {
    const int64_t entry = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (entry < rows * columns)
        to[entry] = static_cast<T>(from[entry / rows * ld + entry % rows]);
}

/// One block: the largest trace of a free candidate's H (or G).
template <class T>
__global__ void largest_trace_kernel(const T* state, const char* taken, int64_t n, int rank,
                                     int groups, double* largest) {
    __shared__ double shared[kThreads / kWarp];
    double own = 0.0;
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x) {
        if (taken[i] != 0) continue;
        double trace = 0.0;
        for (int64_t g = 0; g < groups; ++g)
            for (int a = 0; a < rank; ++a)
                trace +=
                    static_cast<double>(state[(g * triangle(rank) + triangle(a) + a) * n + i]);
        own = fmax(own, trace);
    }
    own = block_reduce(own, Larger{}, shared);
    if (threadIdx.x == 0) *largest = own;
}

int64_t chunk_size(const Factors& f, const PoolOptions& options, int64_t count) {
    const int64_t resetting = int64_t{f.groups} * triangle(f.inner());
    const int64_t columns =
        std::max({resetting, f.panel_columns(options.criterion) * f.vectors.slots,
                  f.length() * f.vectors.slots});
    const int64_t wanted = options.chunk_rows > 0
                               ? options.chunk_rows
                               : std::max<int64_t>(256, kChunkValues / columns);
    return std::max<int64_t>(1, std::min(wanted, count));
}

}  // namespace

template <class T>
PoolState<T>::PoolState(const Device& device, const Factors& factors, const RowList& rows,
                        const PoolOptions& options)
    : device_(device),
      factors_(factors),
      options_(options),
      rows_(device, factors.vectors, rows, chunk_size(factors, options, rows.count)),
      count_(rows.count),
      chunk_rows_(chunk_size(factors, options, rows.count)) {
    const auto values = [&](std::initializer_list<int64_t> shape, const char* purpose) {
        return DeviceBuffer<T>(device, shape, purpose, kRemedy);
    };
    const int64_t groups = factors.groups, entries = triangle(factors.rank);
    if (factors.link != Link::identity)
        s_ = values({factors.link_size(), count_}, "the pool's links");
    if (factors.mean_size() > 0)
        mu_ = values({factors.mean_size(), count_}, "the pool's links");
    g_ = values({groups, entries, count_}, "the pool state G");
    if (options.criterion == Criterion::trace)
        h_ = values({groups, entries, count_}, "the pool state H");
    score_ = values({count_}, "the pool's scores");
    panel_ =
        values({factors.panel_columns(options.criterion), factors.length()}, "the panel U | R");
    const int64_t columns =
        std::max(groups * triangle(factors.inner()),
                 factors.panel_columns(options.criterion) * factors.vectors.slots);
    products_ = DeviceBuffer<T>(device, {columns, chunk_rows_}, kPurpose, kLower);
    work_ = DeviceBuffer<T>(device, {workspace(factors.rank, factors.inner()), chunk_rows_},
                            kPurpose, kLower);
    if (s_.empty()) return;
    constexpr int64_t kLinkRows = 65536;
    const int64_t links = std::min(kLinkRows, count_);
    DeviceBuffer<double> scratch(device, {links, factors.link_size() + factors.mean_size()},
                                 kPurpose, kRemedy);
    for (int64_t begin = 0; begin < count_; begin += links) {
        const int64_t size = std::min(links, count_ - begin);
        launch(device, "read the probabilities", one_thread_each(size), &load_links<T>, factors,
               rows, begin, size, count_, scratch.data(), s_.data(), mu_.data());
    }
}

template <class T>
PoolChunk<T> PoolState<T>::chunk(int64_t begin, int64_t size) const {
    PoolChunk<T> c;
    c.link = factors_.link;
    c.criterion = options_.criterion;
    c.rank = factors_.rank;
    c.classes = factors_.classes;
    c.groups = factors_.groups;
    c.links = factors_.group_links();
    c.size = size;
    c.stride = count_;
    c.s = s_.data() + (s_.empty() ? 0 : begin);
    c.mu = mu_.data() + (mu_.empty() ? 0 : begin);
    c.G = g_.data() + begin;
    c.H = h_.data() + (h_.empty() ? 0 : begin);
    c.score = score_.data() + begin;
    c.work = work_.data();
    return c;
}

template <class T>
void PoolState<T>::update(const int* stopped) {
    const int64_t length = factors_.length();
    const int64_t columns = factors_.panel_columns(options_.criterion);
    for (int64_t begin = 0; begin < count_; begin += chunk_rows_) {
        const int64_t size = std::min(chunk_rows_, count_ - begin);
        for (int64_t slot = 0; slot < factors_.vectors.slots; ++slot) {
            const RowChunk<T> x = rows_.load(begin, size, slot);
            gemm(device_, 'T', 'N', size, columns, length, T{1}, x.data, x.stride,
                 panel_.data(), length, T{0}, products_.data() + slot * columns * chunk_rows_,
                 chunk_rows_);
        }
        update_chunk<T>(device_, chunk(begin, size), products_.data(), chunk_rows_,
                        static_cast<T>(options_.sign), stopped);
    }
}

template <class T>
void PoolState<T>::reset(const Information& information) {
    const int64_t d = factors_.length();
    matrix_ = DeviceBuffer<T>(device_, {d, d}, kPurpose, kLower);
    images_ = DeviceBuffer<T>(device_, {chunk_rows_, d}, kPurpose, kLower);
    const T scale = static_cast<T>(options_.scale * options_.scale);
    for (int64_t begin = 0; begin < count_; begin += chunk_rows_) {
        const int64_t size = std::min(chunk_rows_, count_ - begin);
        const PoolChunk<T> own = chunk(begin, size);
        for (const bool of_p : {false, true}) {
            if (of_p && h_.empty()) continue;
            products_.zero();
            factors_.kind == FactorKind::dense
                ? raw_products_by_slot(information, of_p, begin, size)
                : raw_products_by_class(information, of_p, begin, size);
            reset_chunk<T>(device_, own, products_.data(), chunk_rows_, scale,
                           of_p ? own.H : own.G);
        }
        score_chunk<T>(device_, own, static_cast<T>(options_.sign));
    }
    matrix_ = {};
    images_ = {};
}

/// products[group, (a, b)] = x^T A_ab x for every pair of classes a >= b.
template <class T>
void PoolState<T>::raw_products_by_class(const Information& information, bool of_p,
                                         int64_t begin, int64_t size) {
    const int64_t d = factors_.length();
    const RowChunk<T> x = rows_.load(begin, size, 0);
    T* out = products_.data();
    for (int g = 0; g < factors_.groups; ++g) {
        const SquareMatrix& matrix = of_p ? information.P(g) : information.Q(g);
        for (int64_t a = 0; a < factors_.classes; ++a)
            for (int64_t b = 0; b <= a; ++b, out += chunk_rows_) {
                multiply_block(matrix.at(a * d, b * d), matrix.n, x, size);
                add_row_dots<T>(device_, images_.data(), d, x.data, x.stride, size, d, out);
            }
    }
}

/// products[(a, b)] = v_a^T A v_b for every pair of slots a >= b of a dense factor.
template <class T>
void PoolState<T>::raw_products_by_slot(const Information& information, bool of_p,
                                        int64_t begin, int64_t size) {
    const int64_t d = factors_.length();
    const SquareMatrix& matrix = of_p ? information.P(0) : information.Q(0);
    T* out = products_.data();
    for (int a = 0; a < factors_.rank; ++a) {
        multiply_block(matrix.at(0, 0), matrix.n, rows_.load(begin, size, a), size);
        for (int b = 0; b <= a; ++b, out += chunk_rows_) {
            const RowChunk<T> vb = rows_.load(begin, size, b);
            add_row_dots<T>(device_, images_.data(), d, vb.data, vb.stride, size, d, out);
        }
    }
}

/// images [size, d] = X A for a block A [d, d] of Q or P.
template <class T>
void PoolState<T>::multiply_block(const double* block, int64_t ld, const RowChunk<T>& x,
                                  int64_t size) {
    const int64_t d = factors_.length();
    launch(device_, "read a block of Q or P", one_thread_each(d * d), &convert_block<T>, block,
           ld, d, d, matrix_.data());
    gemm(device_, 'T', 'N', d, size, d, T{1}, matrix_.data(), d, x.data, x.stride, T{0},
         images_.data(), d);
}

template <class T>
void PoolState<T>::largest_trace(const char* taken, double* error_scale) const {
    launch(device_, "find the scale of the scores", {1, kThreads}, &largest_trace_kernel<T>,
           h_.empty() ? g_.data() : h_.data(), taken, count_, factors_.rank, factors_.groups,
           error_scale);
}

template class PoolState<float>;
template class PoolState<double>;

}  // namespace fisher_select::cuda
