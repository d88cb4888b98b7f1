// SPDX-License-Identifier: Apache-2.0
// What kernels call: indices, barriers, shuffles, votes, atomics, bit casts and intrinsics.
#pragma once

#include <algorithm>
#include <bit>
#include <cstring>
#include <source_location>
#include <type_traits>

#include "block.h"

// Of the thread that runs; the scheduler (block.cpp) sets them at each switch.
inline uint3 threadIdx, blockIdx;
inline dim3 blockDim, gridDim;
constexpr int warpSize = 32;

// ------------------------------------------------------------------ barriers and votes
using FsWhere = std::source_location;

inline void __syncthreads(FsWhere where = FsWhere::current()) {
    emulation::block_barrier("__syncthreads", false, where);
}
inline int __syncthreads_count(int predicate, FsWhere where = FsWhere::current()) {
    return emulation::block_barrier("__syncthreads_count", predicate != 0, where);
}
inline int __syncthreads_or(int predicate, FsWhere where = FsWhere::current()) {
    return emulation::block_barrier("__syncthreads_or", predicate != 0, where) > 0;
}
inline int __syncthreads_and(int predicate, FsWhere where = FsWhere::current()) {
    return emulation::block_barrier("__syncthreads_and", predicate == 0, where) == 0;
}
inline void __syncwarp(unsigned mask = 0xffffffffu, FsWhere where = FsWhere::current()) {
    emulation::vote("__syncwarp", mask, false, where);
}
inline unsigned __ballot_sync(unsigned mask, int predicate,
                              FsWhere where = FsWhere::current()) {
    return emulation::vote("__ballot_sync", mask, predicate != 0, where);
}
inline int __any_sync(unsigned mask, int predicate, FsWhere where = FsWhere::current()) {
    return emulation::vote("__any_sync", mask, predicate != 0, where) != 0;
}
inline int __all_sync(unsigned mask, int predicate, FsWhere where = FsWhere::current()) {
    return emulation::vote("__all_sync", mask, predicate == 0, where) == 0;
}
// Nothing is concurrent here; the compiler alone could reorder.
inline void __threadfence_block() { asm volatile("" ::: "memory"); }
inline void __threadfence() { asm volatile("" ::: "memory"); }
inline void __threadfence_system() { asm volatile("" ::: "memory"); }

// ------------------------------------------------------------------ shuffles
namespace emulation {

/// A lane reads `source`; outside its group of `width` lanes it keeps its own value.
template <class T>
T shuffle(const char* name, unsigned mask, T value, int source, int width, FsWhere where) {
    static_assert(std::is_arithmetic_v<T> && (sizeof(T) == 4 || sizeof(T) == 8));
    const int lane = current_lane(), group = lane / width * width;
    if (source < group || source >= group + width) source = lane;
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(T));
    bits = exchange(name, mask, source, bits, where);
    std::memcpy(&value, &bits, sizeof(T));
    return value;
}

}  // namespace emulation

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32,
              FsWhere where = FsWhere::current()) {
    // Modulo the width, as the hardware takes it.
    const int group = emulation::current_lane() / width * width;
    return emulation::shuffle("__shfl_sync", mask, value, group + (source & (width - 1)), width,
                              where);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32,
                  FsWhere where = FsWhere::current()) {
    return emulation::shuffle("__shfl_xor_sync", mask, value, emulation::current_lane() ^ lanes,
                              width, where);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                   FsWhere where = FsWhere::current()) {
    return emulation::shuffle("__shfl_down_sync", mask, value,
                              emulation::current_lane() + static_cast<int>(delta), width,
                              where);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32,
                 FsWhere where = FsWhere::current()) {
    return emulation::shuffle("__shfl_up_sync", mask, value,
                              emulation::current_lane() - static_cast<int>(delta), width,
                              where);
}

// ------------------------------------------------------------------ atomics
// One thread runs at a time, so these are plain; the types are those of CUDA and no others.
namespace emulation {

template <class T>
concept AtomicInteger = std::is_same_v<T, int> || std::is_same_v<T, unsigned> ||
                        std::is_same_v<T, unsigned long long>;
template <class T>
concept AtomicNumber =
    AtomicInteger<T> || std::is_same_v<T, float> || std::is_same_v<T, double>;

template <class T>
T replace(T* at, T value) {
    const T old = *at;
    *at = value;
    return old;
}

}  // namespace emulation

template <emulation::AtomicNumber T>
T atomicAdd(T* at, std::type_identity_t<T> value) {
    return emulation::replace(at, static_cast<T>(*at + value));
}
template <emulation::AtomicInteger T>
T atomicMax(T* at, std::type_identity_t<T> value) {
    return emulation::replace(at, std::max(*at, value));
}
template <emulation::AtomicInteger T>
T atomicMin(T* at, std::type_identity_t<T> value) {
    return emulation::replace(at, std::min(*at, value));
}
inline long long atomicMax(long long* at, long long value) {
    return emulation::replace(at, std::max(*at, value));
}
inline long long atomicMin(long long* at, long long value) {
    return emulation::replace(at, std::min(*at, value));
}
template <emulation::AtomicInteger T>
T atomicOr(T* at, std::type_identity_t<T> value) {
    return emulation::replace(at, static_cast<T>(*at | value));
}
template <emulation::AtomicInteger T>
T atomicAnd(T* at, std::type_identity_t<T> value) {
    return emulation::replace(at, static_cast<T>(*at & value));
}
template <class T>
    requires(emulation::AtomicInteger<T> || std::is_same_v<T, float>)
T atomicExch(T* at, std::type_identity_t<T> value) {
    return emulation::replace(at, value);
}
template <emulation::AtomicInteger T>
T atomicCAS(T* at, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
    return emulation::replace(at, *at == expected ? value : *at);
}

// ------------------------------------------------------------------ loads, bits, arithmetic
template <class T>
T __ldg(const T* at) {
    return *at;
}

inline int __popc(unsigned x) { return std::popcount(x); }
inline int __popcll(unsigned long long x) { return std::popcount(x); }
inline int __clz(int x) { return std::countl_zero(static_cast<unsigned>(x)); }
inline int __clzll(long long x) { return std::countl_zero(static_cast<unsigned long long>(x)); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }

inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline long long __double_as_longlong(double x) { return std::bit_cast<long long>(x); }
inline double __longlong_as_double(long long x) { return std::bit_cast<double>(x); }

inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / sqrt(x); }
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float __fdividef(float a, float b) { return a / b; }
// Rounded once: never contracted into a fused multiply-add.
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dsub_rn(double a, double b) { return a - b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __fma_rn(double a, double b, double c) { return fma(a, b, c); }
inline unsigned __umulhi(unsigned a, unsigned b) {
    return static_cast<unsigned>((static_cast<uint64_t>(a) * b) >> 32);
}
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return static_cast<unsigned long long>((static_cast<unsigned __int128>(a) * b) >> 64);
}

// CUDA has them for arguments of mixed types as well.
template <class A, class B>
    requires(std::is_arithmetic_v<A> && std::is_arithmetic_v<B>)
constexpr std::common_type_t<A, B> min(A a, B b) {
    return b < a ? b : a;
}
template <class A, class B>
    requires(std::is_arithmetic_v<A> && std::is_arithmetic_v<B>)
constexpr std::common_type_t<A, B> max(A a, B b) {
    return a < b ? b : a;
}
