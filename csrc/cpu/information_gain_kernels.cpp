// SPDX-License-Identifier: Apache-2.0
// Inner loops of information gain; see information_gain_kernels.h. Like pool_kernels.cpp this
// file is compiled once per instruction set and includes nothing with out-of-line functions.
#include "information_gain_kernels.h"

#include "information_gain.h"

namespace fisher_select {
namespace cpu {
namespace {

// As many samples as a register holds: comparisons of wider vectors would be taken apart.
#if defined(__AVX512F__)
constexpr int kBytes = 64;
#elif defined(__AVX2__)
constexpr int kBytes = 32;
#else
constexpr int kBytes = 16;
#endif

typedef float Floats __attribute__((vector_size(kBytes)));
typedef float HalfFloats __attribute__((vector_size(kBytes / 2)));
typedef double Doubles __attribute__((vector_size(kBytes)));
typedef uint32_t FloatBits __attribute__((vector_size(kBytes)));
typedef uint64_t DoubleBits __attribute__((vector_size(kBytes)));

}  // namespace
}  // namespace cpu

template <>
struct Elements<cpu::Floats> {
    using Scalar = float;
    using Bits = cpu::FloatBits;
};
template <>
struct Elements<cpu::Doubles> {
    using Scalar = double;
    using Bits = cpu::DoubleBits;
};

namespace cpu {
namespace {

template <class T>
struct VectorOf;
template <>
struct VectorOf<float> {
    using type = Floats;
};
template <>
struct VectorOf<double> {
    using type = Doubles;
};

template <class V, class T>
V load(const T* from) {
    V v;
    __builtin_memcpy(&v, from, sizeof v);
    return v;
}

/// to[l] += v[l] for each lane, in registers: lane by lane, compilers make scalar code of it.
void add_lanes(Doubles v, double* to) {
    v += load<Doubles>(to);
    __builtin_memcpy(to, &v, sizeof v);
}
void add_lanes(Floats v, double* to) {
    constexpr int kHalf = kBytes / static_cast<int>(sizeof(double));
    float lanes[2 * kHalf];
    __builtin_memcpy(lanes, &v, sizeof v);
    for (int half = 0; half < 2; ++half)
        add_lanes(__builtin_convertvector(load<HalfFloats>(lanes + half * kHalf), Doubles),
                  to + half * kHalf);
}

/// Whether a comparison holds in every lane.
template <class Mask>
bool all_of(const Mask& mask) {
    uint64_t words[sizeof(Mask) / sizeof(uint64_t)], all = ~uint64_t{0};
    __builtin_memcpy(words, &mask, sizeof mask);
    for (const uint64_t word : words) all &= word;
    return all == ~uint64_t{0};
}

template <class T, int kClasses>
void add_changes(const GainTile<T>& tile) {
    using V = typename VectorOf<T>::type;
    constexpr int kWidth = static_cast<int>(sizeof(V) / sizeof(T));
    constexpr T kLimit = static_cast<T>(kSmallStep);
    const int C = kClasses > 0 ? kClasses : tile.classes;
    // Known at compile time, a few classes live in registers.
    V local[kClasses > 0 ? kGainArrays * kClasses : 1];
    V* const e = kClasses > 0 ? local : reinterpret_cast<V*>(tile.work);
    V *const u = e + C, *const product = u + C, *const quotient = product + C,
             *const p = quotient + C, *const late = p + C;
    const auto step = [&](int64_t j, int64_t row) {
        return tile.rate * (load<V>(tile.products + j * kGainRows + row) + tile.bias);
    };
    const auto fits = [](V t) { return (t <= kLimit) & (t >= -kLimit); };  // false for NaN
    for (int64_t row = 0; row < kGainRows; row += kWidth) {
        for (int k = 0; k < C; ++k) p[k] = load<V>(tile.p + k * kGainRows + row);
        for (int64_t start = 0; start < tile.count; start += kPairsALogarithm) {
            const int64_t next = start + kPairsALogarithm;
            const int64_t end = next < tile.count ? next : tile.count;
            for (int c = 0; c < C; ++c) product[c] = quotient[c] = late[c] = V{};
            auto small = V{} == V{};
            const auto multiply = [&](int c, V rho, V moment) {
                multiply_in(rho, moment, product[c], quotient[c]);
            };
            for (int64_t j = start; j < end; ++j) {
                const V t = step(j, row);
                small &= fits(t);
                // A step of 0 changes nothing: those lanes are done below.
                small_step<kClasses>(C, fits(t) ? t : V{}, tile.s + j * C, tile.q + j * C, p, e,
                                     u, NoTeam{}, multiply);
            }
            for (int64_t j = start; j < end && !all_of(small); ++j) {
                const V t = step(j, row);
                const auto add = [&](int c, V H) { late[c] += fits(t) ? V{} : H - tile.h[j]; };
                large_step<kClasses>(C, t, tile.s + j * C, p, e, u, NoTeam{}, add);
            }
            for (int c = 0; c < C; ++c)
                add_lanes(entropy_change(product[c], quotient[c]) + late[c],
                          tile.change + c * kGainRows + row);
        }
    }
}

template <class T>
void add_changes_any(const GainTile<T>& tile) {
    switch (tile.classes) {  // with a copy of their own: fewer loads and stores
        case 2: return add_changes<T, 2>(tile);
        case 3: return add_changes<T, 3>(tile);
        case 4: return add_changes<T, 4>(tile);
        case 5: return add_changes<T, 5>(tile);
        default: return add_changes<T, 0>(tile);
    }
}

}  // namespace

namespace FS_INSTRUCTION_SET {
extern const GainKernels<float> float_gain_kernels;
extern const GainKernels<double> double_gain_kernels;
const GainKernels<float> float_gain_kernels = {add_changes_any<float>};
const GainKernels<double> double_gain_kernels = {add_changes_any<double>};
}  // namespace FS_INSTRUCTION_SET

}  // namespace cpu
}  // namespace fisher_select
