// SPDX-License-Identifier: Apache-2.0
// Marks the inline functions that the C++ compiler and nvcc both compile, so that CPU tests
// cover the very lines that run on the device.
#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#if defined(__CUDACC__)
#    define FS_HOST_DEVICE __host__ __device__ __forceinline__
#else
#    define FS_HOST_DEVICE inline __attribute__((always_inline))
#endif

// Before a loop over arrays that have to stay in a device's registers.
#if defined(__CUDA_ARCH__)
#    define FS_UNROLL _Pragma("unroll")
#else
#    define FS_UNROLL
#endif

namespace fisher_select {

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// std::isfinite is a host function to nvcc.
FS_HOST_DEVICE bool is_finite(double x) { return x - x == 0.0; }

/// An array whose entries lie `stride` apart, for functions that take any kind of pointer.
template <class T>
struct Strided {
    FS_HOST_DEVICE T& operator[](int64_t k) const { return data[k * stride]; }
    FS_HOST_DEVICE Strided operator+(int64_t k) const { return {data + k * stride, stride}; }

    T* data;
    int64_t stride;
};

/// What a pointer, or a Strided, points to.
template <class Pointer>
using Entry = std::remove_cv_t<std::remove_reference_t<decltype(Pointer{}[0])>>;

/// Functions of a value type; vectors of candidates specialise it (cpu/lane_vector.h).
template <class V>
struct Math {
    /// What one candidate has, of those in a value; and f(candidate) of each as one value.
    FS_HOST_DEVICE static V at(V x, int) { return x; }
    template <class F>
    FS_HOST_DEVICE static V each(const F& f) {
        return f(0);
    }
    FS_HOST_DEVICE static V root(V x) { return sqrt(x); }
    FS_HOST_DEVICE static V log(V x) { return ::log(x); }
};
template <>
struct Math<float> {
    FS_HOST_DEVICE static float at(float x, int) { return x; }
    template <class F>
    FS_HOST_DEVICE static float each(const F& f) {
        return f(0);
    }
    FS_HOST_DEVICE static float root(float x) { return sqrtf(x); }
    FS_HOST_DEVICE static float log(float x) { return logf(x); }
};

}  // namespace fisher_select
