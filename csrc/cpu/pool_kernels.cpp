// SPDX-License-Identifier: Apache-2.0
// Inner loops of a pool sweep for one instruction set: cmake/kernels.cmake compiles this file
// several times, each with its own flags and its own FS_INSTRUCTION_SET. It includes nothing
// with out-of-line inline functions, so no code for a newer processor can leak into the rest.
#include "pool_kernels.h"

#include "lane_vector.h"
#include "pair_forms.h"

namespace fisher_select::cpu {
namespace {

#define FS_STRINGIZE_(x) #x
#define FS_STRINGIZE(x) FS_STRINGIZE_(x)

template <int R, Criterion kCriterion, class V, class T>
V score_group(int rank, T sign, const V* G, const V* H, V* work) {
    if constexpr (kCriterion == Criterion::trace)
        return trace_score<R>(rank, sign, G, H, work);
    else
        return log_det_score<R>(rank, sign, G, work);
}

template <class T, int R, Link kLink, Criterion kCriterion>
void update_rank(const PoolChunk<T>& chunk, const T* products, int64_t ld, T sign) {
    using V = Lanes<T>;
    const int r = R > 0 ? R : chunk.rank;
    const int tri = triangle(r), columns = update_columns(kCriterion, r);
    V* ty = reinterpret_cast<V*>(chunk.work);
    V* triangle_work = ty + 2 * r * r;
    for (int64_t b = 0; b < chunk.blocks; ++b) {
        V score{};
        for (int g = 0; g < chunk.groups; ++g) {
            const int64_t at = b * chunk.groups + g;
            V* G = reinterpret_cast<V*>(chunk.G) + at * tri;
            V* H = reinterpret_cast<V*>(chunk.H) + at * tri;
            const V* s = reinterpret_cast<const V*>(chunk.s) + at * chunk.links;
            const V* mu = reinterpret_cast<const V*>(chunk.mu) + b * chunk.means;
            const T* own = products + int64_t{g} * chunk.classes * columns * ld + b * kLanes;
            const auto product = [=](int a, int j) {
                return load(own + (a * columns + j) * ld);
            };
            apply_link<R, kLink>(r, chunk.classes, columns, product, s, mu, ty);
            update_state<R, kCriterion>(r, sign, ty, G, H);
            score += score_group<R, kCriterion>(r, sign, G, H, triangle_work);
        }
        reinterpret_cast<V*>(chunk.score)[b] = sign * score;
    }
}

template <class T, int R, Criterion kCriterion>
void score_rank(const PoolChunk<T>& chunk, T sign) {
    using V = Lanes<T>;
    const int tri = triangle(R > 0 ? R : chunk.rank);
    for (int64_t b = 0; b < chunk.blocks; ++b) {
        V score{};
        for (int g = 0; g < chunk.groups; ++g) {
            const int64_t at = (b * chunk.groups + g) * tri;
            score += score_group<R, kCriterion>(
                chunk.rank, sign, reinterpret_cast<const V*>(chunk.G) + at,
                reinterpret_cast<const V*>(chunk.H) + at, reinterpret_cast<V*>(chunk.work));
        }
        reinterpret_cast<V*>(chunk.score)[b] = sign * score;
    }
}

template <class T, Link kLink>
void reset_link(const PoolChunk<T>& chunk, const T* raw, int64_t ld, T scale, T* state) {
    using V = Lanes<T>;
    constexpr bool kByClass = kLink == Link::vector || kLink == Link::columns;
    const int r = chunk.rank, inner = kByClass ? chunk.classes : r;
    const int tri = triangle(inner);
    V* work = reinterpret_cast<V*>(chunk.work);
    V* S = work + inner;
    for (int64_t b = 0; b < chunk.blocks; ++b)
        for (int g = 0; g < chunk.groups; ++g) {
            const int64_t at = b * chunk.groups + g;
            const V* s = reinterpret_cast<const V*>(chunk.s) + at * chunk.links;
            const V* mu = reinterpret_cast<const V*>(chunk.mu) + b * chunk.means;
            V* out = reinterpret_cast<V*>(state) + at * triangle(r);
            for (int e = 0; e < tri; ++e)
                S[e] = load(raw + (int64_t{g} * tri + e) * ld + b * kLanes);
            if constexpr (kLink == Link::vector) {
                out[0] = quadratic_form(chunk.classes, scale, s, S);
            } else if constexpr (kLink == Link::columns) {
                column_congruence(r, chunk.classes, scale, s, mu, S, work, out);
            } else {
                congruence<0, kLink>(r, scale, s, mu, S, work);
                for (int e = 0; e < tri; ++e) out[e] = S[e];
            }
        }
}

template <class T, int R, Criterion kCriterion>
void update_any_link(const PoolChunk<T>& chunk, const T* products, int64_t ld, T sign) {
    switch (chunk.link) {
        case Link::identity:
            return update_rank<T, R, Link::identity, kCriterion>(chunk, products, ld, sign);
        case Link::diagonal:
            return update_rank<T, R, Link::diagonal, kCriterion>(chunk, products, ld, sign);
        case Link::softmax:
            return update_rank<T, R, Link::softmax, kCriterion>(chunk, products, ld, sign);
        case Link::vector:
            return update_rank<T, 1, Link::vector, kCriterion>(chunk, products, ld, sign);
        case Link::columns:
            return update_rank<T, R, Link::columns, kCriterion>(chunk, products, ld, sign);
    }
}

template <class T>
void update(const PoolChunk<T>& chunk, const T* products, int64_t ld, T sign) {
    constexpr Criterion kTrace = Criterion::trace, kLogDet = Criterion::log_det;
    if (chunk.criterion == kLogDet)
        return chunk.rank == 1 ? update_any_link<T, 1, kLogDet>(chunk, products, ld, sign)
                               : update_any_link<T, 0, kLogDet>(chunk, products, ld, sign);
    // Ranks that are worth a copy of their own: up to a dozen classes. In float64 (the backward
    // stage, and a fallback) speed matters less than the size of the binary.
    if constexpr (sizeof(T) == sizeof(float)) switch (chunk.rank) {
            case 2: return update_any_link<T, 2, kTrace>(chunk, products, ld, sign);
            case 3: return update_any_link<T, 3, kTrace>(chunk, products, ld, sign);
            case 4: return update_any_link<T, 4, kTrace>(chunk, products, ld, sign);
            case 5: return update_any_link<T, 5, kTrace>(chunk, products, ld, sign);
            case 6: return update_any_link<T, 6, kTrace>(chunk, products, ld, sign);
            case 7: return update_any_link<T, 7, kTrace>(chunk, products, ld, sign);
            case 8: return update_any_link<T, 8, kTrace>(chunk, products, ld, sign);
            case 9: return update_any_link<T, 9, kTrace>(chunk, products, ld, sign);
            case 10: return update_any_link<T, 10, kTrace>(chunk, products, ld, sign);
            case 11: return update_any_link<T, 11, kTrace>(chunk, products, ld, sign);
        }
    if (chunk.rank == 1) return update_any_link<T, 1, kTrace>(chunk, products, ld, sign);
    update_any_link<T, 0, kTrace>(chunk, products, ld, sign);
}

template <class T, Criterion kCriterion>
void score_any_rank(const PoolChunk<T>& chunk, T sign) {
    chunk.rank == 1 ? score_rank<T, 1, kCriterion>(chunk, sign)
                    : score_rank<T, 0, kCriterion>(chunk, sign);
}

template <class T>
void score(const PoolChunk<T>& chunk, T sign) {
    chunk.criterion == Criterion::trace ? score_any_rank<T, Criterion::trace>(chunk, sign)
                                        : score_any_rank<T, Criterion::log_det>(chunk, sign);
}

template <class T>
void reset(const PoolChunk<T>& chunk, const T* raw, int64_t ld, T scale, T* state) {
    switch (chunk.link) {
        case Link::identity: return reset_link<T, Link::identity>(chunk, raw, ld, scale, state);
        case Link::diagonal: return reset_link<T, Link::diagonal>(chunk, raw, ld, scale, state);
        case Link::softmax: return reset_link<T, Link::softmax>(chunk, raw, ld, scale, state);
        case Link::vector: return reset_link<T, Link::vector>(chunk, raw, ld, scale, state);
        case Link::columns: return reset_link<T, Link::columns>(chunk, raw, ld, scale, state);
    }
}

/// Pairwise, so that each halving is one vector addition.
template <class T>
T sum(Lanes<T> v) {
    for (int half = kLanes / 2; half > 0; half /= 2)
        for (int l = 0; l < half; ++l) v[l] += v[l + half];
    return v[0];
}

/// Unaligned load: rows of the caller's array start anywhere.
template <class T>
Lanes<T> load_unaligned(const T* p) {
    Lanes<T> v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}

/// kRows x kColumns dot products at once: each value of x is read from memory once, each value
/// of u is reused for kRows rows.
template <class T, int kRows, int kColumns>
void dots_tile(const T* x, int64_t ldx, int64_t length, const T* u, T* out, int64_t ldout) {
    Lanes<T> acc[kRows][kColumns] = {};
    int64_t k = 0;
    for (; k + kLanes <= length; k += kLanes) {
        Lanes<T> right[kColumns];
        for (int j = 0; j < kColumns; ++j) right[j] = load_unaligned(u + j * length + k);
        for (int i = 0; i < kRows; ++i) {
            const Lanes<T> left = load_unaligned(x + i * ldx + k);
            for (int j = 0; j < kColumns; ++j) acc[i][j] += left * right[j];
        }
    }
    for (int i = 0; i < kRows; ++i)
        for (int j = 0; j < kColumns; ++j) {
            T rest = 0;
            for (int64_t t = k; t < length; ++t) rest += x[i * ldx + t] * u[j * length + t];
            out[j * ldout + i] = sum<T>(acc[i][j]) + rest;
        }
}

template <class T, int kColumns>
void dots_columns(const T* x, int64_t ldx, int64_t rows, int64_t length, const T* u, T* out,
                  int64_t ldout) {
    int64_t i = 0;
    for (; i + 4 <= rows; i += 4)
        dots_tile<T, 4, kColumns>(x + i * ldx, ldx, length, u, out + i, ldout);
    for (; i < rows; ++i)
        dots_tile<T, 1, kColumns>(x + i * ldx, ldx, length, u, out + i, ldout);
}

template <class T>
void dots(const T* x, int64_t ldx, int64_t rows, int64_t length, const T* u, int columns,
          T* out, int64_t ldout) {
    int j = 0;
    for (; j + 4 <= columns; j += 4)
        dots_columns<T, 4>(x, ldx, rows, length, u + j * length, out + j * ldout, ldout);
    for (; j + 2 <= columns; j += 2)
        dots_columns<T, 2>(x, ldx, rows, length, u + j * length, out + j * ldout, ldout);
    for (; j < columns; ++j)
        dots_columns<T, 1>(x, ldx, rows, length, u + j * length, out + j * ldout, ldout);
}

/// Four columns of A at a time, so that `right` is read and written once for the four.
template <class T, int kColumns>
void two_sided_columns(const T* a, int64_t lda, int64_t side, const T* x, const T* x_columns,
                       T* right, T* left) {
    Lanes<T> acc[kColumns] = {};
    T rest[kColumns] = {};
    int64_t i = 0;
    for (; i + kLanes <= side; i += kLanes) {
        const Lanes<T> xi = load_unaligned(x + i);
        Lanes<T> sum = load_unaligned(right + i);
        for (int j = 0; j < kColumns; ++j) {
            const Lanes<T> aij = load_unaligned(a + j * lda + i);
            acc[j] += aij * xi;
            sum += aij * x_columns[j];
        }
        __builtin_memcpy(right + i, &sum, sizeof sum);
    }
    for (; i < side; ++i)
        for (int j = 0; j < kColumns; ++j) {
            rest[j] += a[j * lda + i] * x[i];
            right[i] += a[j * lda + i] * x_columns[j];
        }
    for (int j = 0; j < kColumns; ++j) left[j] = sum<T>(acc[j]) + rest[j];
}

template <class T>
void two_sided(const T* a, int64_t lda, int64_t side, const T* x, int count, T* right, T* left,
               int64_t stride) {
    for (int v = 0; v < count; ++v)
        for (int64_t i = 0; i < side; ++i) right[v * stride + i] = 0;
    int64_t j = 0;
    for (; j + 4 <= side; j += 4)  // the four columns stay in cache for all the vectors
        for (int v = 0; v < count; ++v)
            two_sided_columns<T, 4>(a + j * lda, lda, side, x + v * side, x + v * side + j,
                                    right + v * stride, left + v * stride + j);
    for (; j < side; ++j)
        for (int v = 0; v < count; ++v)
            two_sided_columns<T, 1>(a + j * lda, lda, side, x + v * side, x + v * side + j,
                                    right + v * stride, left + v * stride + j);
}

template <class T>
void row_dots(const T* x, int64_t ldx, const T* y, int64_t ldy, int64_t rows, int64_t length,
              T* out) {
    for (int64_t i = 0; i < rows; ++i)
        dots_tile<T, 1, 1>(x + i * ldx, ldx, length, y + i * ldy, out + i, 1);
}

template <class T>
constexpr PoolKernels<T> kKernels = {
    update<T>,    score<T>,    reset<T>,      dots<T>,
    two_sided<T>, row_dots<T>, pair_forms<T>, FS_STRINGIZE(FS_INSTRUCTION_SET)};

}  // namespace

namespace FS_INSTRUCTION_SET {
extern const PoolKernels<float> float_kernels;
extern const PoolKernels<double> double_kernels;
const PoolKernels<float> float_kernels = kKernels<float>;
const PoolKernels<double> double_kernels = kKernels<double>;
}  // namespace FS_INSTRUCTION_SET

}  // namespace fisher_select::cpu
