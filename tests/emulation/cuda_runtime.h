// SPDX-License-Identifier: Apache-2.0
// Test code: stands in for CUDA's header of this name, so that a plain C++ compiler builds the
// kernels and the CPU runs them. It checks logic; it is no GPU and gives no figure. README.md
// tells what it covers.
#pragma once

#include <math.h>

#include <cstddef>
#include <cstdint>

#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))
// All threads of a block run on one thread of the operating system, which runs nothing else.
#define __shared__ static thread_local
#define FS_DYNAMIC_SHARED(T, name) T* name = static_cast<T*>(::emulation::dynamic_shared())

struct uint3 {
    unsigned x, y, z;
};
struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

#define FS_EMULATION_VECTORS(T, name, align2, align4)          \
    struct alignas(align2) name##2 { T x, y; };                \
    struct alignas(align4) name##4 { T x, y, z, w; };          \
    inline name##2 make_##name##2(T x, T y) { return {x, y}; } \
    inline name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }
FS_EMULATION_VECTORS(int, int, 8, 16)
FS_EMULATION_VECTORS(unsigned, uint, 8, 16)
FS_EMULATION_VECTORS(float, float, 8, 16)
FS_EMULATION_VECTORS(double, double, 16, 16)
FS_EMULATION_VECTORS(long long, longlong, 16, 16)
#undef FS_EMULATION_VECTORS

struct float3 {
    float x, y, z;
};
inline float3 make_float3(float x, float y, float z) { return {x, y, z}; }

#include "device_functions.h"
#include "runtime_api.h"
