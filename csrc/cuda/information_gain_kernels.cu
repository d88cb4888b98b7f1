// SPDX-License-Identifier: Apache-2.0
// See information_gain_kernels.h.
#include "information_gain_kernels.h"

#include <algorithm>
#include <bit>

#include "information_gain.h"
#include "launch.h"
#include "local.h"
#include "reduce.h"

namespace fisher_select::cuda {
namespace {

constexpr int kPairThreads = 128;  // of a block: registers are what there is least of
constexpr int kArrays = 4;         // that a thread works in, an entry for each of its classes
constexpr int kBlocksEach = 8;  // of a multiprocessor, where blocks have to share a workspace

/// How pairs are spread over a warp: the `lanes` threads that share a pool sample have at most
/// `held` classes each; 0 where that is too much for registers.
struct Spread {
    int lanes, held;
};
Spread spread(int classes) {
    if (classes <= 4) return {1, 4};
    if (classes <= 8 * kWarp)
        return {static_cast<int>(std::bit_ceil(static_cast<unsigned>(classes + 7) / 8)), 8};
    return {kWarp, classes <= 32 * kWarp ? 32 : 0};
}

/// Neighbours in a warp that share a pool sample: of its classes each has every lanes-th.
struct Lanes {
    template <class V>
    __device__ V sum(V part) const {
        for (int other = lanes / 2; other > 0; other /= 2)
            part += __shfl_xor_sync(kAllLanes, part, other);
        return part;
    }
    template <class V>
    __device__ TopTwo<V> top_two(TopTwo<V> mine) const {
        for (int other = lanes / 2; other > 0; other /= 2) {
            const TopTwo<V> theirs{__shfl_xor_sync(kAllLanes, mine.first, other),
                                   __shfl_xor_sync(kAllLanes, mine.second, other),
                                   __shfl_xor_sync(kAllLanes, mine.top, other)};
            // Of equal logits the lower class: all lanes have to name the same one.
            const bool lost = theirs.first > mine.first ||
                              (theirs.first == mine.first && theirs.top < mine.top);
            const TopTwo<V> winner = lost ? theirs : mine;
            const V runner_up = lost ? mine.first : theirs.first;
            mine = {winner.first, runner_up > winner.second ? runner_up : winner.second,
                    winner.top};
        }
        return mine;
    }
    __device__ int name(int k) const { return k * lanes + lane; }

    int lanes, lane;
};

/// Changes of the tile's pairs, weighted and summed over labels and one segment of evaluation
/// samples: partial [segments, ld]. A team of lanes has a pool sample, neighbouring teams have
/// neighbouring samples, so that products are read in order and the tables s and q are the
/// same addresses for all teams.
///
/// Cost: for each pair and label some 25 instructions (float64: 35) where the step is small, a
/// hundred elsewhere; 4 or 8 bytes a pair.
template <class T, int kHeld>
__global__ void __launch_bounds__(kPairThreads)
    pair_kernel(GainTile<T> tile, int lanes, int64_t row_blocks, int64_t items) {
    constexpr T kLimit = static_cast<T>(kSmallStep);
    const int C = tile.classes;
    const Lanes team{lanes, static_cast<int>(threadIdx.x) % lanes};
    const int own = (C - team.lane + lanes - 1) / lanes;  // classes of this thread
    const int64_t warp = (int64_t{blockIdx.x} * kPairThreads + threadIdx.x) / kWarp;
    T* const work = tile.work + warp * kArrays * C + team.lane;
    Local<T, kHeld> e(work, lanes), u(work + C, lanes), product(work + 2 * C, lanes),
        quotient(work + 3 * C, lanes);
    for (int64_t item = blockIdx.x; item < items; item += gridDim.x) {
        const int64_t a = item % row_blocks * (kPairThreads / lanes) + threadIdx.x / lanes;
        // Beyond the last sample threads repeat its work: shuffles want whole warps.
        const int64_t row = a < tile.rows ? a : tile.rows - 1;
        const Strided<const T> p{tile.p + row * C + team.lane, lanes};
        const Strided<const double> w{tile.weights + row * C + team.lane, lanes};
        const auto table = [&](const T* values, int64_t j) {
            return Strided<const T>{values + j * C + team.lane, lanes};
        };
        const auto step = [&](int64_t j) {
            return tile.rate * (tile.products[j * tile.ld + row] + tile.bias);
        };
        const auto fits = [&](T t) { return t <= kLimit && t >= -kLimit; };  // false for NaN
        const int64_t begin = item / row_blocks * kGainSegment;
        const int64_t end = min(begin + kGainSegment, tile.count);
        double change = 0.0;
        for (int64_t start = begin; start < end; start += kPairsALogarithm) {
            const int64_t stop = min(start + kPairsALogarithm, end);
            each_class<kHeld>(own, [&](int k) {
                product.begin()[k] = T(0);
                quotient.begin()[k] = T(0);
            });
            bool small = true;
            for (int64_t j = start; j < stop; ++j) {
                const T t = step(j);
                small &= fits(t);
                // A step of 0 changes nothing: the others are done below.
                small_step<kHeld>(own, fits(t) ? t : T(0), table(tile.s, j), table(tile.q, j),
                                  p, e.begin(), u.begin(), team, [&](int k, T rho, T moment) {
                                      multiply_in(rho, moment, product.begin()[k],
                                                  quotient.begin()[k]);
                                  });
            }
            each_class<kHeld>(own, [&](int k) {
                change += w[k] * static_cast<double>(
                                     entropy_change(product.begin()[k], quotient.begin()[k]));
            });
            if (!__any_sync(kAllLanes, !small)) continue;
            for (int64_t j = start; j < stop; ++j) {
                const T t = step(j), before = tile.h[j];
                large_step<kHeld>(own, t, table(tile.s, j), p, e.begin(), u.begin(), team,
                                  [&](int k, T after) {
                                      if (!fits(t))
                                          change += w[k] * static_cast<double>(after - before);
                                  });
            }
        }
        change = team.sum(change);
        if (team.lane == 0 && a < tile.rows)
            tile.partial[item / row_blocks * tile.ld + a] = change;
    }
}

/// change[a] += partial[:, a], in the order of the segments; a thread a pool sample.
__global__ void segment_kernel(const double* partial, int64_t ld, int64_t segments,
                               int64_t rows, double* change) {
    const int64_t a = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (a >= rows) return;
    double sum = change[a];
    for (int64_t segment = 0; segment < segments; ++segment) sum += partial[segment * ld + a];
    change[a] = sum;
}

int64_t sharing_blocks(const Device& device) {
    return int64_t{kBlocksEach} * device.multiprocessors();
}

}  // namespace

int64_t gain_workspace(const Device& device, int classes) {
    if (spread(classes).held > 0) return 0;
    return sharing_blocks(device) * (kPairThreads / kWarp) * kArrays * classes;
}

template <class T>
void add_changes(const Device& device, const GainTile<T>& tile) {
    const Spread chosen = spread(tile.classes);
    const int64_t row_blocks = ceil_div(tile.rows, kPairThreads / chosen.lanes);
    const int64_t segments = ceil_div(tile.count, kGainSegment), items = row_blocks * segments;
    const int64_t blocks = chosen.held > 0 ? items : std::min(items, sharing_blocks(device));
    const auto kernel = chosen.held == 4    ? &pair_kernel<T, 4>
                        : chosen.held == 8  ? &pair_kernel<T, 8>
                        : chosen.held == 32 ? &pair_kernel<T, 32>
                                            : &pair_kernel<T, 0>;
    launch(device, "compute changes of entropy", Grid{blocks, kPairThreads}, kernel, tile,
           chosen.lanes, row_blocks, items);
    launch(device, "add changes of entropy", one_thread_each(tile.rows), &segment_kernel,
           tile.partial, tile.ld, segments, tile.rows, tile.change);
}

template void add_changes(const Device&, const GainTile<float>&);
template void add_changes(const Device&, const GainTile<double>&);

}  // namespace fisher_select::cuda
