// SPDX-License-Identifier: Apache-2.0
// See top_k.h. A block takes a chunk. Counts are integers, so the order of atomic additions
// does not matter.
#include "top_k.h"

#include "elementary.h"
#include "launch.h"
#include "memory.h"
#include "reduce.h"

namespace fisher_select::cuda {
namespace {

constexpr int kLoads = 4;  // in flight from each thread, so that memory is kept busy

template <class T>
__device__ unsigned long long key_of(T value) {
    return reinterpret_bits<typename Elements<T>::Bits>(value + T(0));  // -0 is 0
}

/// body(offset, value, inside) for a chunk's entries, in order, blockDim.x at a time; `inside`
/// is false for threads beyond the last one. All threads of the block come along.
template <class T, class Body>
__device__ __forceinline__ void visit(const TopKInput<T>& input, const Chunk& chunk,
                                      const Body& body) {
    const int threads = static_cast<int>(blockDim.x);
    const T* const first = input.data + chunk.begin * input.stride;
    for (int begin = 0; begin < chunk.length; begin += kLoads * threads) {
        const int mine = begin + static_cast<int>(threadIdx.x);
        T values[kLoads];
        FS_UNROLL
        for (int l = 0; l < kLoads; ++l) {
            const int offset = mine + l * threads;
            values[l] = offset < chunk.length ? first[offset * input.stride] : T(0);
        }
        FS_UNROLL
        for (int l = 0; l < kLoads; ++l)
            body(mine + l * threads, values[l], mine + l * threads < chunk.length);
    }
}

/// counts [layers, kDigits] += how often each digit [next, shift) occurs among the entries that
/// share their layer's prefix.
template <class T>
__global__ void count_kernel(TopKInput<T> input, int shift, int next,
                             unsigned long long* counts) {
    __shared__ unsigned digits[kDigits];
    const Chunk chunk = input.chunks[blockIdx.x];
    if (chunk.layer == kAlwaysKept) return;
    for (int d = static_cast<int>(threadIdx.x); d < kDigits; d += static_cast<int>(blockDim.x))
        digits[d] = 0;
    __syncthreads();
    const unsigned long long prefix = input.thresholds[chunk.layer].prefix;
    const unsigned mask = (1u << (shift - next)) - 1;
    // Equal digits in a row are one addition: many entries may be 0, and additions to one
    // place wait for each other.
    unsigned last = 0, run = 0;
    visit(input, chunk, [&](int, T value, bool inside) {
        const unsigned long long key = key_of(value);
        if (!inside || key >> shift != prefix) return;
        const unsigned digit = static_cast<unsigned>(key >> next) & mask;
        if (digit != last && run != 0) {
            atomicAdd(&digits[last], run);
            run = 0;
        }
        last = digit;
        ++run;
    });
    if (run != 0) atomicAdd(&digits[last], run);
    __syncthreads();
    unsigned long long* const sums = counts + int64_t{chunk.layer} * kDigits;
    for (int d = static_cast<int>(threadIdx.x); d < kDigits; d += static_cast<int>(blockDim.x))
        if (digits[d] != 0) atomicAdd(&sums[d], static_cast<unsigned long long>(digits[d]));
}

/// From the largest digit down, the first at which enough entries are kept: a warp a layer.
__global__ void digit_kernel(const unsigned long long* counts, int digit_bits,
                             Threshold* thresholds, int64_t layers) {
    const int64_t layer = (int64_t{blockIdx.x} * blockDim.x + threadIdx.x) / kWarp;
    if (layer >= layers) return;
    const int lane = static_cast<int>(threadIdx.x % kWarp), digits = 1 << digit_bits;
    Threshold threshold = thresholds[layer];
    for (int high = digits - 1; high >= 0; high -= kWarp) {
        const int digit = high - lane;
        const long long own =
            digit >= 0 ? static_cast<long long>(counts[layer * kDigits + digit]) : 0;
        long long sum = own;  // of the lanes up to this one
        for (int delta = 1; delta < kWarp; delta *= 2) {
            const long long before = __shfl_up_sync(kAllLanes, sum, delta);
            if (lane >= delta) sum += before;
        }
        const unsigned enough = __ballot_sync(kAllLanes, sum >= threshold.need);
        if (enough != 0) {
            if (lane != __ffs(static_cast<int>(enough)) - 1) return;
            threshold.prefix = threshold.prefix << digit_bits | static_cast<unsigned>(digit);
            threshold.need -= sum - own;
            thresholds[layer] = threshold;
            return;
        }
        threshold.need -= __shfl_sync(kAllLanes, sum, kWarp - 1);
    }
}

template <class T>
__global__ void reached_kernel(TopKInput<T> input, Reached* reached,
                               unsigned long long* first_bad) {
    __shared__ int shared[kThreads / kWarp];
    const Chunk chunk = input.chunks[blockIdx.x];
    const bool chosen = chunk.layer != kAlwaysKept;
    const unsigned long long threshold = chosen ? input.thresholds[chunk.layer].prefix : 0;
    int beyond = 0, equal = 0;
    visit(input, chunk, [&](int offset, T value, bool inside) {
        if (!inside) return;
        const unsigned long long key = key_of(value);
        beyond += key > threshold ? 1 : 0;
        equal += key == threshold ? 1 : 0;
        if (!(value >= T(0) && value < ElementaryConstants<T>::infinity))
            atomicMin(first_bad, static_cast<unsigned long long>(chunk.begin + offset));
    });
    beyond = block_reduce(beyond, Plus{}, shared);
    equal = block_reduce(equal, Plus{}, shared);
    if (threadIdx.x == 0) reached[blockIdx.x] = {beyond, equal};
}

/// Threads of the block before this one with `mine` set, and of all its threads. `shared` has
/// room for one value a warp and is free again afterwards.
struct Rank {
    int before, all;
};
__device__ Rank rank_of(bool mine, int* shared) {
    const unsigned votes = __ballot_sync(kAllLanes, mine);
    const unsigned lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
    if (lane == 0) shared[warp] = __popc(votes);
    __syncthreads();
    Rank rank{__popc(votes & ((1u << lane) - 1)), 0};
    for (unsigned other = 0; other < blockDim.x / kWarp; ++other) {
        rank.before += other < warp ? shared[other] : 0;
        rank.all += shared[other];
    }
    __syncthreads();
    return rank;
}

template <class T>
__global__ void write_kernel(TopKInput<T> input, const Reached* reached, const Place* places,
                             int64_t* kept) {
    __shared__ int shared[kThreads / kWarp];
    const Chunk chunk = input.chunks[blockIdx.x];
    const Place place = places[blockIdx.x];
    int64_t* to = kept + place.offset;
    if (chunk.layer == kAlwaysKept) {
        for (int i = static_cast<int>(threadIdx.x); i < chunk.length;
             i += static_cast<int>(blockDim.x))
            to[i] = chunk.begin + i;
        return;
    }
    if (reached[blockIdx.x].beyond == 0 && place.ties == 0) return;
    const unsigned long long threshold = input.thresholds[chunk.layer].prefix;
    int64_t ties = place.ties;
    visit(input, chunk, [&](int offset, T value, bool inside) {
        const unsigned long long key = key_of(value);
        const bool beyond = inside && key > threshold, equal = inside && key == threshold;
        if (__syncthreads_or(beyond || equal) == 0) return;
        const Rank larger = rank_of(beyond, shared), same = rank_of(equal, shared);
        if (beyond || (equal && same.before < ties))
            to[larger.before + min(int64_t{same.before}, ties)] = chunk.begin + offset;
        const int64_t kept_ties = min(int64_t{same.all}, ties);
        to += larger.all + kept_ties;
        ties -= kept_ties;
    });
}

}  // namespace

template <class T>
void narrow(const Device& device, const TopKInput<T>& input, int shift, int next,
            unsigned long long* counts) {
    launch(device, "count digits", Grid{input.chunk_count}, &count_kernel<T>, input, shift,
           next, counts);
    launch(device, "choose digits", one_thread_each(input.layers * kWarp), &digit_kernel,
           counts, shift - next, input.thresholds, input.layers);
}

template <class T>
void count_reached(const Device& device, const TopKInput<T>& input, Reached* reached,
                   unsigned long long* first_bad) {
    launch(device, "count the entries kept", Grid{input.chunk_count}, &reached_kernel<T>, input,
           reached, first_bad);
}

template <class T>
void write_kept(const Device& device, const TopKInput<T>& input, const Reached* reached,
                const Place* places, int64_t* kept) {
    launch(device, "write the entries kept", Grid{input.chunk_count}, &write_kernel<T>, input,
           reached, places, kept);
}

template void narrow(const Device&, const TopKInput<float>&, int, int, unsigned long long*);
template void narrow(const Device&, const TopKInput<double>&, int, int, unsigned long long*);
template void count_reached(const Device&, const TopKInput<float>&, Reached*,
                            unsigned long long*);
template void count_reached(const Device&, const TopKInput<double>&, Reached*,
                            unsigned long long*);
template void write_kept(const Device&, const TopKInput<float>&, const Reached*, const Place*,
                         int64_t*);
template void write_kept(const Device&, const TopKInput<double>&, const Reached*, const Place*,
                         int64_t*);

}  // namespace fisher_select::cuda
