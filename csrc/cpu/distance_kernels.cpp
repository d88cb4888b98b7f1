// SPDX-License-Identifier: Apache-2.0
// Inner loops of nearest-centre searches for one instruction set; cmake/kernels.cmake compiles
// this file several times (see pool_kernels.cpp for the rules that follow from it).
#include "distance_kernels.h"

#if defined(__AVX2__)
#    include <immintrin.h>
#endif

#include "lane_vector.h"

namespace fisher_select::cpu {
namespace {

using Floats = Lanes<float>;
using Doubles = Lanes<double>;

/// Bit l is set where a[l] < b[l]. No compiler finds these instructions by itself.
inline uint32_t lanes_below(Floats a, Floats b) {
#if defined(__AVX512F__)
    return _mm512_cmp_ps_mask(reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b),
                              _CMP_LT_OQ);
#elif defined(__AVX2__)
    const __m256* left = reinterpret_cast<const __m256*>(&a);
    const __m256* right = reinterpret_cast<const __m256*>(&b);
    const int low = _mm256_movemask_ps(_mm256_cmp_ps(left[0], right[0], _CMP_LT_OQ));
    const int high = _mm256_movemask_ps(_mm256_cmp_ps(left[1], right[1], _CMP_LT_OQ));
    return static_cast<uint32_t>(low) | static_cast<uint32_t>(high) << 8;
#else
    uint32_t mask = 0;
    for (int l = 0; l < kLanes; ++l) mask |= static_cast<uint32_t>(a[l] < b[l]) << l;
    return mask;
#endif
}

inline Floats absolute(Floats a) { return a < 0.0f ? -a : a; }

/// |x - c|^2 >= |x_q - c_q|^2 + (|x_rest| - |c_rest|)^2
int64_t scan_features(const float* row, const float* centers, int64_t block, int64_t end,
                      float limit, uint32_t* mask) {
    for (; block < end; ++block) {
        const Floats* c = reinterpret_cast<const Floats*>(centers) + block * kFeatureFields;
        Floats even{}, odd{};
        for (int k = 0; k < kFeatureCoordinates; k += 2) {
            const Floats a = row[k] - c[k], b = row[k + 1] - c[k + 1];
            even += a * a;
            odd += b * b;
        }
        const Floats rest = row[kFeatureRest] - c[kFeatureRest];
        const Floats reach = limit + c[kFeatureSlack];
        const Floats bound = even + odd + rest * rest;
        *mask = lanes_below(bound, squared_reach(reach));
        if (*mask != 0) return block;
    }
    return end;
}

/// |g - h|^2 = |g|^2 + |h|^2 - 2 <x, y> <r, s>, each inner product known up to the product of
/// the two rests.
int64_t scan_gradients(const float* row, const float* centers, int64_t block, int64_t end,
                       float limit, uint32_t* mask) {
    const float reach = limit * (1.0f + kBoundRounding) + kBoundUnderflow;
    for (; block < end; ++block) {
        const Floats* c = reinterpret_cast<const Floats*>(centers) + block * kGradientFields;
        Floats x{}, r{};
        for (int k = 0; k < kGradientCoordinates; ++k) x += row[k] * c[k];
        for (int k = kClassFirst; k < kClassRest; ++k) r += row[k] * c[k];
        const Floats dx = row[kGradientRest] * c[kGradientRest];
        const Floats dr = row[kClassRest] * c[kClassRest];
        const Floats most = x * r + absolute(x) * dr + (absolute(r) + dr) * dx;
        const Floats bound =
            (row[kGradientNorm] + c[kGradientNorm]) * (1.0f - kBoundRounding) - 2.0f * most;
        *mask = lanes_below(bound, reach + Floats{});
        if (*mask != 0) return block;
    }
    return end;
}

float smallest_sum(const float* a, const float* b, int64_t blocks) {
    const Floats *left = reinterpret_cast<const Floats*>(a),
                 *right = reinterpret_cast<const Floats*>(b);
    Floats least = left[0] + right[0];
    for (int64_t block = 1; block < blocks; ++block) {
        const Floats sum = left[block] + right[block];
        least = sum < least ? sum : least;
    }
    float smallest = least[0];
    for (int l = 1; l < kLanes; ++l) smallest = least[l] < smallest ? least[l] : smallest;
    return smallest;
}

int64_t scan_sums(const float* a, const float* b, int64_t block, int64_t end, float limit,
                  uint32_t* mask) {
    for (; block < end; ++block) {
        const Floats sum = reinterpret_cast<const Floats*>(a)[block] +
                           reinterpret_cast<const Floats*>(b)[block];
        *mask = lanes_below(sum, limit + Floats{});
        if (*mask != 0) return block;
    }
    return end;
}

template <class T>
Doubles load_doubles(const T* p) {
    Lanes<T> v;
    __builtin_memcpy(&v, p, sizeof v);
    return __builtin_convertvector(v, Doubles);
}

/// By halves: four dependent additions, not sixteen.
double sum(Doubles v) {
    double part[kLanes];
    __builtin_memcpy(part, &v, sizeof part);
    for (int width = kLanes / 2; width > 0; width /= 2)
        for (int l = 0; l < width; ++l) part[l] += part[l + width];
    return part[0];
}

template <class T>
double square(const T* a, const T* b, int64_t length) {
    Doubles first{}, second{};
    int64_t k = 0;
    for (; k + 2 * kLanes <= length; k += 2 * kLanes) {
        const Doubles d = load_doubles(a + k) - load_doubles(b + k);
        const Doubles e = load_doubles(a + k + kLanes) - load_doubles(b + k + kLanes);
        first += d * d;
        second += e * e;
    }
    double rest = 0.0;
    for (; k < length; ++k) {
        const double d = static_cast<double>(a[k]) - static_cast<double>(b[k]);
        rest += d * d;
    }
    return sum(first + second) + rest;
}

template <class T>
Difference difference(const T* a, const T* b, int64_t length) {
    Doubles squares{}, products{}, rights{};
    int64_t k = 0;
    for (; k + kLanes <= length; k += kLanes) {
        const Doubles right = load_doubles(b + k), d = load_doubles(a + k) - right;
        squares += d * d;
        products += d * right;
        rights += right * right;
    }
    Difference rest{0.0, 0.0, 0.0};
    for (; k < length; ++k) {
        const double right = static_cast<double>(b[k]), d = static_cast<double>(a[k]) - right;
        rest.square += d * d;
        rest.along += d * right;
        rest.center += right * right;
    }
    return {sum(squares) + rest.square, sum(products) + rest.along, sum(rights) + rest.center};
}

}  // namespace

namespace FS_INSTRUCTION_SET {
extern const DistanceKernels distance_kernels;
const DistanceKernels distance_kernels = {scan_features, scan_gradients,    smallest_sum,
                                          scan_sums,     difference<float>, difference<double>,
                                          square<float>, square<double>};
}  // namespace FS_INSTRUCTION_SET

}  // namespace fisher_select::cpu
