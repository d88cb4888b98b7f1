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
struct FeatureBound {
    static constexpr int kFields = kFeatureFields;

    static Floats at(const float* row, const Floats* c) {
        Floats even{}, odd{};
        for (int k = 0; k < kFeatureCoordinates; k += 2) {
            const Floats a = row[k] - c[k], b = row[k + 1] - c[k + 1];
            even += a * a;
            odd += b * b;
        }
        const Floats rest = row[kFeatureRest] - c[kFeatureRest];
        return even + odd + rest * rest;
    }

    /// Bounds of centres nearer than `limit` are below it.
    static Floats reach(float limit, const Floats* c) {
        return squared_reach(limit + c[kFeatureSlack]);
    }
};

/// |g - h|^2 = |g|^2 + |h|^2 - 2 <x, y> <r, s>, each inner product known up to the product of
/// the two rests.
struct GradientBound {
    static constexpr int kFields = kGradientFields;

    static Floats at(const float* row, const Floats* c) {
        Floats x{}, r{};
        for (int k = 0; k < kGradientCoordinates; ++k) x += row[k] * c[k];
        for (int k = kClassFirst; k < kClassRest; ++k) r += row[k] * c[k];
        const Floats dx = row[kGradientRest] * c[kGradientRest];
        const Floats dr = row[kClassRest] * c[kClassRest];
        const Floats most = x * r + absolute(x) * dr + (absolute(r) + dr) * dx;
        return (row[kGradientNorm] + c[kGradientNorm]) * (1.0f - kBoundRounding) - 2.0f * most;
    }

    static Floats reach(float limit, const Floats*) {
        return limit * (1.0f + kBoundRounding) + kBoundUnderflow + Floats{};
    }
};

template <class Bound>
int64_t scan(const float* row, const float* centers, int64_t block, int64_t end, float limit,
             uint32_t* mask) {
    for (; block < end; ++block) {
        const Floats* c = reinterpret_cast<const Floats*>(centers) + block * Bound::kFields;
        *mask = lanes_below(Bound::at(row, c), Bound::reach(limit, c));
        if (*mask != 0) return block;
    }
    return end;
}

template <class Bound>
int64_t smallest_bound(const float* row, const float* centers, int64_t block, int64_t end) {
    typedef int32_t Blocks __attribute__((vector_size(kLanes * sizeof(int32_t))));
    Floats smallest = HUGE_VALF + Floats{};
    Blocks where = static_cast<int32_t>(block) + Blocks{};
    for (; block < end; ++block) {
        const Floats* c = reinterpret_cast<const Floats*>(centers) + block * Bound::kFields;
        const Floats bound = Bound::at(row, c);
        const Blocks below = bound < smallest;
        smallest = below ? bound : smallest;
        where = below ? static_cast<int32_t>(block) + Blocks{} : where;
    }
    int lane = 0;
    for (int l = 1; l < kLanes; ++l)
        if (smallest[l] < smallest[lane]) lane = l;
    return int64_t{where[lane]} * kLanes + lane;
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

/// kRows rows at a time, as many sums as there are registers; see DistanceKernels. In halves of
/// kLanes: one register of the widest set each, where the compiler would spill whole Doubles.
template <int kRows, class T>
void project_rows(const T* x, int64_t stride, int64_t length, const double* mean,
                  const double* basis, double* coordinates, double* squares) {
    typedef double Half __attribute__((vector_size(kLanes / 2 * sizeof(double))));
    Half low[kRows]{}, high[kRows]{};
    Doubles square[kRows]{};
    for (int64_t k = 0; k < length; k += kLanes) {
        const int64_t width = length - k < kLanes ? length - k : kLanes;
        alignas(sizeof(Doubles)) double centered[kRows][kLanes] = {};
        for (int i = 0; i < kRows; ++i) {
            const T* row = x + i * stride + k;
            for (int64_t l = 0; l < width; ++l)
                centered[i][l] = static_cast<double>(row[l]) - mean[k + l];
            const Doubles d = load_doubles(centered[i]);
            square[i] += d * d;
        }
        for (int64_t l = 0; l < width; ++l) {
            Half left, right;
            __builtin_memcpy(&left, basis + (k + l) * kLanes, sizeof left);
            __builtin_memcpy(&right, basis + (k + l) * kLanes + kLanes / 2, sizeof right);
            for (int i = 0; i < kRows; ++i) {
                low[i] += centered[i][l] * left;
                high[i] += centered[i][l] * right;
            }
        }
    }
    for (int i = 0; i < kRows; ++i) {
        __builtin_memcpy(coordinates + i * kLanes, &low[i], sizeof low[i]);
        __builtin_memcpy(coordinates + i * kLanes + kLanes / 2, &high[i], sizeof high[i]);
        squares[i] = sum(square[i]);
    }
}

template <class T>
void project(const T* x, int64_t stride, int64_t rows, int64_t length, const double* mean,
             const double* basis, double* coordinates, double* squares) {
#if defined(__AVX512F__)
    constexpr int kRows = 8;
#else
    constexpr int kRows = 2;
#endif
    int64_t i = 0;
    for (; i + kRows <= rows; i += kRows)
        project_rows<kRows>(x + i * stride, stride, length, mean, basis,
                            coordinates + i * kLanes, squares + i);
    for (; i < rows; ++i)
        project_rows<1>(x + i * stride, stride, length, mean, basis, coordinates + i * kLanes,
                        squares + i);
}

}  // namespace

namespace FS_INSTRUCTION_SET {
extern const DistanceKernels distance_kernels;
const DistanceKernels distance_kernels = {
    scan<FeatureBound>,
    scan<GradientBound>,
    smallest_bound<FeatureBound>,
    smallest_bound<GradientBound>,
    smallest_sum,
    scan_sums,
    difference<float>,
    difference<double>,
    square<float>,
    square<double>,
    project<float>,
    project<double>,
};
}  // namespace FS_INSTRUCTION_SET

}  // namespace fisher_select::cpu
