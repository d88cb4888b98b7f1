// SPDX-License-Identifier: Apache-2.0
// Working memory of one thread.
#pragma once

#include <cstdint>

#include "portable.h"

namespace fisher_select::cuda {

/// `kEntries` values of a thread in registers; 0: their number is known at run time alone, and
/// they lie in a workspace, `stride` apart.
template <class T, int kEntries>
struct Local {
    __device__ Local(T*, int64_t) {}
    __device__ T* begin() { return values; }
    T values[kEntries];
};
template <class T>
struct Local<T, 0> {
    __device__ Local(T* work, int64_t stride) : values{work, stride} {}
    __device__ Strided<T> begin() { return values; }
    Strided<T> values;
};

}  // namespace fisher_select::cuda
