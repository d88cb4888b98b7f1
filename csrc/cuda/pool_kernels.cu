// SPDX-License-Identifier: Apache-2.0
// See pool_kernels.h.
#include "pool_kernels.h"

#include <algorithm>

#include "launch.h"
#include "local.h"
#include "rank_dispatch.h"
#include "reduce.h"

namespace fisher_select::cuda {
namespace {

constexpr int kCandidates = 128;  // of a block: registers are what there is least of

template <int R, Criterion kCriterion, class T, class Work>
__device__ T score_group(int rank, T sign, Strided<T> G, Strided<T> H, Work work) {
    if constexpr (kCriterion == Criterion::trace)
        return trace_score<R>(rank, sign, G, H, work);
    else
        return log_det_score<R>(rank, sign, G, work);
}

template <class T, int R, Link kLink, Criterion kCriterion>
__global__ void __launch_bounds__(kCandidates)
    update_kernel(PoolChunk<T> chunk, const T* products, int64_t ld, T sign,
                  const int* stopped) {
    const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (i >= chunk.size || *stopped != 0) return;
    const int r = R > 0 ? R : chunk.rank;
    const int tri = triangle(r), columns = update_columns(kCriterion, r);
    Local<T, R * update_columns(kCriterion, R)> ty(chunk.work + i, chunk.size);
    Local<T, triangle(R)> work(chunk.work + r * columns * chunk.size + i, chunk.size);
    T score = 0;
    for (int g = 0; g < chunk.groups; ++g) {
        const Strided<T> G{chunk.G + g * tri * chunk.stride + i, chunk.stride};
        const Strided<T> H{chunk.H + g * tri * chunk.stride + i, chunk.stride};
        const Strided<const T> s{chunk.s + g * chunk.links * chunk.stride + i, chunk.stride};
        const Strided<const T> mu{chunk.mu + i, chunk.stride};
        const T* own = products + int64_t{g} * chunk.classes * columns * ld + i;
        const auto product = [=](int a, int j) { return own[(a * columns + j) * ld]; };
        apply_link<R, kLink>(r, chunk.classes, columns, product, s, mu, ty.begin());
        update_state<R, kCriterion>(r, sign, ty.begin(), G, H);
        score += score_group<R, kCriterion>(r, sign, G, H, work.begin());
    }
    chunk.score[i] = sign * score;
}

template <class T, int R, Criterion kCriterion>
__global__ void __launch_bounds__(kCandidates) score_kernel(PoolChunk<T> chunk, T sign) {
    const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (i >= chunk.size) return;
    const int tri = triangle(R > 0 ? R : chunk.rank);
    Local<T, triangle(R)> work(chunk.work + i, chunk.size);
    T score = 0;
    for (int g = 0; g < chunk.groups; ++g) {
        const Strided<T> G{chunk.G + g * tri * chunk.stride + i, chunk.stride};
        const Strided<T> H{chunk.H + g * tri * chunk.stride + i, chunk.stride};
        score += score_group<R, kCriterion>(chunk.rank, sign, G, H, work.begin());
    }
    chunk.score[i] = sign * score;
}

template <class T, Link kLink>
__global__ void __launch_bounds__(kCandidates)
    reset_kernel(PoolChunk<T> chunk, const T* raw, int64_t ld, T scale, T* state) {
    const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (i >= chunk.size) return;
    constexpr bool kByClass = kLink == Link::vector || kLink == Link::columns;
    const int r = chunk.rank, inner = kByClass ? chunk.classes : r;
    const int tri = triangle(inner);
    const Strided<T> work{chunk.work + i, chunk.size}, S = work + inner;
    for (int g = 0; g < chunk.groups; ++g) {
        const Strided<const T> s{chunk.s + g * chunk.links * chunk.stride + i, chunk.stride};
        const Strided<const T> mu{chunk.mu + i, chunk.stride};
        const Strided<T> out{state + g * triangle(r) * chunk.stride + i, chunk.stride};
        for (int e = 0; e < tri; ++e) S[e] = raw[(int64_t{g} * tri + e) * ld + i];
        if constexpr (kLink == Link::vector) {
            out[0] = quadratic_form(chunk.classes, scale, s, S);
        } else if constexpr (kLink == Link::columns) {
            column_congruence(r, chunk.classes, scale, s, mu, S, work, out);
        } else {
            congruence<0, kLink>(r, scale, s, mu, S, work);
            for (int e = 0; e < tri; ++e) out[e] = S[e];
        }
    }
}

template <class T>
__global__ void row_dots_kernel(const T* x, int64_t ldx, const T* y, int64_t ldy, int64_t rows,
                                int64_t length, T* out) {
    const int64_t row = (int64_t{blockIdx.x} * blockDim.x + threadIdx.x) / kWarp;
    if (row >= rows) return;
    T sum = 0;
    for (int64_t k = threadIdx.x % kWarp; k < length; k += kWarp)
        sum += x[row * ldx + k] * y[row * ldy + k];
    sum = warp_reduce(sum, Plus{});
    if (threadIdx.x % kWarp == 0) out[row] += sum;
}

/// Calls f with the link as a compile-time constant.
template <class F>
void with_link(Link link, const F& f) {
    switch (link) {
        case Link::identity: return f(std::integral_constant<Link, Link::identity>{});
        case Link::diagonal: return f(std::integral_constant<Link, Link::diagonal>{});
        case Link::vector: return f(std::integral_constant<Link, Link::vector>{});
        case Link::softmax: return f(std::integral_constant<Link, Link::softmax>{});
        case Link::columns: return f(std::integral_constant<Link, Link::columns>{});
    }
}

}  // namespace

int64_t workspace(int rank, int inner) {
    return std::max<int64_t>(int64_t{2} * rank * rank + triangle(rank),
                             int64_t{inner} + triangle(inner));
}

template <class T>
void update_chunk(const Device& device, const PoolChunk<T>& chunk, const T* products,
                  int64_t ld, T sign, const int* stopped) {
    const Grid grid = one_thread_each(chunk.size, kCandidates);
    constexpr const char* kAsked = "update the pool's state";
    with_link(chunk.link, [&](auto link) {
        // A gradient is rank one; the trace of a log-det has no H. Compiled ranks serve the
        // trace in float32 alone: elsewhere speed matters less than the size of the binary.
        constexpr Link kLink = decltype(link)::value;
        if constexpr (kLink == Link::vector) {
            launch(device, kAsked, grid, &update_kernel<T, 1, kLink, Criterion::log_det>, chunk,
                   products, ld, sign, stopped);
        } else if (chunk.criterion == Criterion::log_det || sizeof(T) == sizeof(double)) {
            const auto kernel =
                chunk.criterion == Criterion::trace
                    ? (chunk.rank == 1 ? &update_kernel<T, 1, kLink, Criterion::trace>
                                       : &update_kernel<T, 0, kLink, Criterion::trace>)
                    : (chunk.rank == 1 ? &update_kernel<T, 1, kLink, Criterion::log_det>
                                       : &update_kernel<T, 0, kLink, Criterion::log_det>);
            launch(device, kAsked, grid, kernel, chunk, products, ld, sign, stopped);
        } else if constexpr (sizeof(T) == sizeof(float)) {
            with_rank(chunk.rank, [&](auto rank) {
                launch(device, kAsked, grid,
                       &update_kernel<T, decltype(rank)::value, kLink, Criterion::trace>, chunk,
                       products, ld, sign, stopped);
            });
        }
    });
}

template <class T>
void score_chunk(const Device& device, const PoolChunk<T>& chunk, T sign) {
    const auto kernel = chunk.criterion == Criterion::trace
                            ? (chunk.rank == 1 ? &score_kernel<T, 1, Criterion::trace>
                                               : &score_kernel<T, 0, Criterion::trace>)
                            : (chunk.rank == 1 ? &score_kernel<T, 1, Criterion::log_det>
                                               : &score_kernel<T, 0, Criterion::log_det>);
    launch(device, "score the pool", one_thread_each(chunk.size, kCandidates), kernel, chunk,
           sign);
}

template <class T>
void reset_chunk(const Device& device, const PoolChunk<T>& chunk, const T* raw, int64_t ld,
                 T scale, T* state) {
    with_link(chunk.link, [&](auto link) {
        launch(device, "rebuild the pool's state", one_thread_each(chunk.size, kCandidates),
               &reset_kernel<T, decltype(link)::value>, chunk, raw, ld, scale, state);
    });
}

template <class T>
void add_row_dots(const Device& device, const T* x, int64_t ldx, const T* y, int64_t ldy,
                  int64_t rows, int64_t length, T* out) {
    launch(device, "multiply rows", one_thread_each(rows * kWarp), &row_dots_kernel<T>, x, ldx,
           y, ldy, rows, length, out);
}

template void update_chunk(const Device&, const PoolChunk<float>&, const float*, int64_t, float,
                           const int*);
template void update_chunk(const Device&, const PoolChunk<double>&, const double*, int64_t,
                           double, const int*);
template void score_chunk(const Device&, const PoolChunk<float>&, float);
template void score_chunk(const Device&, const PoolChunk<double>&, double);
template void reset_chunk(const Device&, const PoolChunk<float>&, const float*, int64_t, float,
                          float*);
template void reset_chunk(const Device&, const PoolChunk<double>&, const double*, int64_t,
                          double, double*);
template void add_row_dots(const Device&, const float*, int64_t, const float*, int64_t, int64_t,
                           int64_t, float*);
template void add_row_dots(const Device&, const double*, int64_t, const double*, int64_t,
                           int64_t, int64_t, double*);

}  // namespace fisher_select::cuda
