// SPDX-License-Identifier: Apache-2.0
// exp, expm1 and log as straight-line code: the value type V is a float or double, or a vector
// of them, so that one source serves a device and every instruction set of a CPU, without a
// vector mathematics library. Accurate to about one unit in the last place on the stated range.
//
// Polynomials: interpolation in Chebyshev points of the function's smooth part.
#pragma once

#include <cstdint>
#include <limits>

#include "portable.h"

namespace fisher_select {

/// The number under a value type, and unsigned integers of the same layout.
template <class V>
struct Elements;
template <>
struct Elements<float> {
    using Scalar = float;
    using Bits = uint32_t;
};
template <>
struct Elements<double> {
    using Scalar = double;
    using Bits = uint64_t;
};

template <class To, class From>
FS_HOST_DEVICE To reinterpret_bits(From from) {
    static_assert(sizeof(To) == sizeof(From));
    To to;
    __builtin_memcpy(&to, &from, sizeof to);
    return to;
}

/// c_0 + x c_1 + x^2 c_2 + ..., innermost bracket first. The coefficients are arguments, for
/// device code cannot read a constant array of the host.
template <class V, class Scalar>
FS_HOST_DEVICE V horner(V x, Scalar next, Scalar last) {
    return x * last + next;
}
template <class V, class Scalar, class... More>
FS_HOST_DEVICE V horner(V x, Scalar first, Scalar second, More... more) {
    return horner(x, second, more...) * x + first;
}

template <class Scalar>
struct ElementaryConstants;
template <>
struct ElementaryConstants<double> {
    static constexpr double infinity = std::numeric_limits<double>::infinity();
    static constexpr int mantissa_bits = 52;
    static constexpr double inverse_ln2 = 1.4426950408889634;
    // ln 2 in two parts: the first has so few bits that its multiples up to 2^10 are exact.
    static constexpr double ln2_high = 0x1.62e42p-1, ln2_low = 4.7493250390316726e-07;
    static constexpr double round = 0x1.8p52;  // x + round holds the integer next to x
    static constexpr double lowest = -708.0;   // exp stays a normal number
    static constexpr uint64_t one = 0x3ff0000000000000, root_half = 0x3fe6a09e667f3bcd;
    static constexpr uint64_t fraction = 0x000fffffffffffff;

    /// (e^y - 1 - y) / y^2.
    template <class V>
    FS_HOST_DEVICE static V exp_tail(V y) {
        return horner(y, 0.50000000000000010487, 0.16666666666666667473,
                      0.041666666666623244033, 0.0083333333333299938634,
                      0.0013888888917654015311, 0.00019841269863392213356,
                      2.4801520613566226212e-5, 2.7557267935231927139e-6,
                      2.7620412194498852394e-7, 2.5100634461878496993e-8);
    }
    /// (2 artanh(s) - 2 s) / s^3 of z = s^2.
    template <class V>
    FS_HOST_DEVICE static V log_tail(V z) {
        return horner(z, 0.66666666666666697077, 0.3999999999989889036, 0.28571428626253907338,
                      0.22222211089368124648, 0.18182892433364563543, 0.15331611694570086597,
                      0.1461780749280384681);
    }
};
template <>
struct ElementaryConstants<float> {
    static constexpr float infinity = std::numeric_limits<float>::infinity();
    static constexpr int mantissa_bits = 23;
    static constexpr float inverse_ln2 = 1.44269504F;
    static constexpr float ln2_high = 0x1.62ep-1F, ln2_low = 3.194618329871446e-05F;
    static constexpr float round = 0x1.8p23F;
    static constexpr float lowest = -86.0F;
    static constexpr uint32_t one = 0x3f800000, root_half = 0x3f3504f3;
    static constexpr uint32_t fraction = 0x007fffff;

    template <class V>
    FS_HOST_DEVICE static V exp_tail(V y) {
        return horner(y, 0.5F, 0.16666576F, 0.041666553F, 0.0083633331F, 0.0013926376F);
    }
    template <class V>
    FS_HOST_DEVICE static V log_tail(V z) {
        return horner(z, 0.66666666554041898F, 0.40000122211903747F, 0.28550778622640639F,
                      0.23331614758667431F);
    }
};

/// e^y - 1 for |y| <= 0.3475, which holds ln(2) / 2; small results keep all their digits.
template <class V>
FS_HOST_DEVICE V expm1_small(V y) {
    using K = ElementaryConstants<typename Elements<V>::Scalar>;
    return y * y * K::exp_tail(y) + y;
}

/// e^x for x <= 0; 0 below `lowest`, where the result is no longer far from underflow.
template <class V>
FS_HOST_DEVICE V exp_nonpositive(V x) {
    using K = ElementaryConstants<typename Elements<V>::Scalar>;
    using Bits = typename Elements<V>::Bits;
    const V shifted = x * K::inverse_ln2 + K::round;
    const V n = shifted - K::round;
    const V w = expm1_small((x - n * K::ln2_high) - n * K::ln2_low);
    const Bits power = reinterpret_bits<Bits>(shifted) << K::mantissa_bits;  // n, biased by 0
    const V value = reinterpret_bits<V>(reinterpret_bits<Bits>(1 + w) + power);
    return x < K::lowest ? V{} : value;
}

/// The natural logarithm of a normal x > 0.
template <class V>
FS_HOST_DEVICE V log_positive(V x) {
    using K = ElementaryConstants<typename Elements<V>::Scalar>;
    using Bits = typename Elements<V>::Bits;
    // x = 2^k (1 + f) with 1 + f between sqrt(1/2) and sqrt(2).
    const Bits shifted = reinterpret_bits<Bits>(x) + (K::one - K::root_half);
    const V f = reinterpret_bits<V>((shifted & K::fraction) + K::root_half) - 1;
    const Bits biased = (shifted >> K::mantissa_bits) + reinterpret_bits<Bits>(V{} + K::round);
    const V k = (reinterpret_bits<V>(biased) - K::round) -
                static_cast<typename Elements<V>::Scalar>(K::one >> K::mantissa_bits);
    // log(1 + f) = 2 artanh(s) = f - s (f - s^2 polynomial(s^2)).
    const V s = f / (2 + f), z = s * s;
    return k * K::ln2_high + (f - (s * (f - z * K::log_tail(z)) - k * K::ln2_low));
}

}  // namespace fisher_select
