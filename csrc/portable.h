// SPDX-License-Identifier: Apache-2.0
// Marks the inline functions that the C++ compiler and nvcc both compile, so that CPU tests
// cover the very lines that run on the device.
#pragma once

#include <cmath>

#if defined(__CUDACC__)
#    define FS_HOST_DEVICE __host__ __device__ __forceinline__
#else
#    define FS_HOST_DEVICE inline __attribute__((always_inline))
#endif

namespace fisher_select {

/// Functions of a value type; vectors of candidates specialise it (cpu/lanes.h).
template <class V>
struct Math {
    FS_HOST_DEVICE static V root(V x) { return sqrt(x); }
    FS_HOST_DEVICE static V log(V x) { return ::log(x); }
};
template <>
struct Math<float> {
    FS_HOST_DEVICE static float root(float x) { return sqrtf(x); }
    FS_HOST_DEVICE static float log(float x) { return logf(x); }
};

}  // namespace fisher_select
