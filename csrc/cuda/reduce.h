// SPDX-License-Identifier: Apache-2.0
// Sums and maxima over a warp or a block, in an order that depends on the shape alone: the same
// bits at every run.
#pragma once

#include <cuda_runtime.h>

#include "launch.h"

namespace fisher_select::cuda {

constexpr unsigned kAllLanes = 0xffffffffu;

struct Plus {
    template <class T>
    __device__ __forceinline__ T operator()(T a, T b) const {
        return a + b;
    }
};

struct Larger {
    template <class T>
    __device__ __forceinline__ T operator()(T a, T b) const {
        return a < b ? b : a;
    }
};

/// Every lane gets the result; all lanes of the warp call it.
template <class T, class Combine>
__device__ __forceinline__ T warp_reduce(T value, Combine combine) {
    for (int lanes = kWarp / 2; lanes > 0; lanes /= 2)
        value = combine(value, __shfl_xor_sync(kAllLanes, value, lanes));
    return value;
}

/// Every thread gets the result; all threads of the block call it, of which there is a whole
/// number of warps. `shared` has room for one value a warp and is free again afterwards.
template <class T, class Combine>
__device__ __forceinline__ T block_reduce(T value, Combine combine, T* shared) {
    const unsigned lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
    const unsigned warps = blockDim.x / kWarp;
    value = warp_reduce(value, combine);
    if (lane == 0) shared[warp] = value;
    __syncthreads();
    value = shared[0];
    for (unsigned other = 1; other < warps; ++other) value = combine(value, shared[other]);
    __syncthreads();
    return value;
}

}  // namespace fisher_select::cuda
