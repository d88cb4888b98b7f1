// SPDX-License-Identifier: Apache-2.0
// See leaders.h.
#include "leaders.h"

#include <cmath>

#include "launch.h"
#include "reduce.h"

namespace fisher_select::cuda {
namespace {

constexpr int kWarps = kScreenBlock / kWarp;
constexpr double kInfinity = HUGE_VAL;

/// best[block] = the largest free score; infinity where one is not finite.
template <class T>
__global__ void __launch_bounds__(kScreenBlock)
    block_maxima(const T* scores, const char* taken, int64_t n, double* best,
                 const PickState* state) {
    __shared__ double shared[kWarps];
    if (state->stopped != kGoing) return;
    const int64_t i = int64_t{blockIdx.x} * kScreenBlock + threadIdx.x;
    double own = -kInfinity;
    if (i < n && taken[i] == 0) {
        const double score = static_cast<double>(scores[i]);
        own = is_finite(score) ? score : kInfinity;
    }
    own = block_reduce(own, Larger{}, shared);
    if (threadIdx.x == 0) best[blockIdx.x] = own;
}

/// Sets words[w] to the flags of warp w's threads, for all threads to see.
__device__ void share_flags(bool flag, unsigned* words) {
    __syncthreads();  // the words of the last call have been read
    const unsigned word = __ballot_sync(kAllLanes, flag);
    if (threadIdx.x % kWarp == 0) words[threadIdx.x / kWarp] = word;
    __syncthreads();
}

/// One block. Blocks that reach the bar, then their candidates, in index order.
template <class T>
__global__ void __launch_bounds__(kScreenBlock)
    gather_leaders(Factors factors, RowList rows, const T* scores, const char* taken,
                   const double* best, int64_t blocks, PickState* state) {
    __shared__ double shared[kWarps];
    __shared__ unsigned block_words[kWarps], words[kWarps];
    if (state->stopped != kGoing) return;
    const int thread = static_cast<int>(threadIdx.x);
    double largest = -kInfinity;
    for (int64_t b = thread; b < blocks; b += kScreenBlock) largest = fmax(largest, best[b]);
    largest = block_reduce(largest, Larger{}, shared);
    if (largest == kInfinity) {
        if (thread == 0) state->stopped = kUnsound;
        return;
    }
    const double bar = largest - state->margin * fabs(largest);
    Leaders& leaders = state->leaders;
    if (thread == 0) leaders.count = 0;
    const auto same = [&](int64_t a, int64_t b) { return factors.same(rows[a], rows[b]); };
    const auto admit = [&](int64_t first) {  // thread 0: candidates that `words` flags
        for (int w = 0; w < kWarps; ++w)
            for (unsigned left = words[w]; left != 0; left &= left - 1) {
                const int64_t i = first + w * kWarp + __ffs(static_cast<int>(left)) - 1;
                leaders.admit({i, static_cast<double>(scores[i]), 0.0}, same);
            }
    };
    for (int64_t base = 0; base < blocks; base += kScreenBlock) {
        share_flags(base + thread < blocks && best[base + thread] >= bar, block_words);
        for (int w = 0; w < kWarps; ++w)
            for (unsigned left = block_words[w]; left != 0; left &= left - 1) {
                const int64_t block = base + w * kWarp + __ffs(static_cast<int>(left)) - 1;
                const int64_t first = block * kScreenBlock, i = first + thread;
                share_flags(
                    i < rows.count && taken[i] == 0 && static_cast<double>(scores[i]) >= bar,
                    words);
                if (thread == 0) admit(first);
            }
    }
}

}  // namespace

template <class T>
void collect_leaders(const Device& device, const Factors& factors, const RowList& rows,
                     const T* scores, const char* taken, double* best, PickState* state) {
    const int64_t blocks = ceil_div(rows.count, kScreenBlock);
    launch(device, "screen the pool", {blocks, kScreenBlock}, &block_maxima<T>, scores, taken,
           rows.count, best, state);
    launch(device, "collect the leaders", {1, kScreenBlock}, &gather_leaders<T>, factors, rows,
           scores, taken, best, blocks, state);
}

template void collect_leaders(const Device&, const Factors&, const RowList&, const float*,
                              const char*, double*, PickState*);
template void collect_leaders(const Device&, const Factors&, const RowList&, const double*,
                              const char*, double*, PickState*);

}  // namespace fisher_select::cuda
