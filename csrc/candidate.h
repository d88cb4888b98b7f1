// SPDX-License-Identifier: Apache-2.0
// The mathematics of one candidate (DESIGN section 3), written once for every backend: the
// value type V is a float or double on a device and a vector of candidates on a CPU.
//
// Symmetric r x r matrices are packed lower triangles: entry (i, j), j <= i, lies at
// triangle(i) + j. R is r at compile time, or 0 for a rank known at run time only. Arrays are
// pointers, or Strided where entries of one candidate lie apart (on a device).
#pragma once

#include "portable.h"

namespace fisher_select {

/// How a sample's factor acts on the classes: L^T b for b [r].
enum class Link {
    identity,  ///< L = 1: regression, dense factors
    diagonal,  ///< L^T b = s b: sigmoid outputs, two classes, one block a class
    vector,    ///< L^T b = <s, b>: one gradient of the output layer, r = 1
    softmax,   ///< L^T b = s (b - <mu, b>): softmax over r + 1 classes, rotated (see factors.h)
    columns,   ///< entry k of L^T b is s_k (b_ck - <mu, b>): r columns out of more (factors.h)
};

FS_HOST_DEVICE constexpr int triangle(int i) { return i * (i + 1) / 2; }

/// What is being minimised or maximised.
enum class Criterion {
    trace,    ///< tr(M^-1 F): needs G and H
    log_det,  ///< log det M: needs G alone
};

/// Columns of a group's update a class: [U | R], or U.
FS_HOST_DEVICE constexpr int update_columns(Criterion criterion, int rank) {
    return criterion == Criterion::trace ? 2 * rank : rank;
}

/// TY [r, columns] = L^T B for the products B [classes, columns] = x^T [U | R] of one
/// candidate. `product(a, j)` reads B; s, mu [r] (Link::vector: s [classes]; Link::columns:
/// s [2 r], mu [classes]).
template <int R, Link kLink, class Product, class Links, class Update>
FS_HOST_DEVICE void apply_link(int rank, int classes, int columns, const Product& product,
                               Links s, Links mu, Update ty) {
    using V = Entry<Update>;
    const int r = R > 0 ? R : rank;
    for (int j = 0; j < columns; ++j) {
        if constexpr (kLink == Link::vector) {
            V sum{};
            for (int a = 0; a < classes; ++a) sum += s[a] * product(a, j);
            ty[j] = sum;
            continue;
        }
        V shift{};
        if constexpr (kLink == Link::softmax || kLink == Link::columns)
            for (int a = 0; a < (kLink == Link::softmax ? r : classes); ++a)
                shift += mu[a] * product(a, j);
        for (int a = 0; a < r; ++a) {
            if constexpr (kLink == Link::identity) ty[a * columns + j] = product(a, j);
            if constexpr (kLink == Link::diagonal) ty[a * columns + j] = s[a] * product(a, j);
            if constexpr (kLink == Link::softmax)
                ty[a * columns + j] = s[a] * (product(a, j) - shift);
            if constexpr (kLink == Link::columns) {
                const V own = s[r + a];
                const auto chosen = [&](int lane) {
                    const int c = static_cast<int>(Math<V>::at(own, lane));
                    return c < classes ? Math<V>::at(product(c, j), lane) : 0;
                };
                ty[a * columns + j] = s[a] * (Math<V>::each(chosen) - shift);
            }
        }
    }
}

/// Entries [a, a + kRows) x [b, b + kColumns) of update_state, of which those above the
/// diagonal are left out: each value of T and Y that is loaded serves kRows or kColumns
/// products.
template <int kRows, int kColumns, Criterion kCriterion, class Scalar, class Update,
          class State>
FS_HOST_DEVICE void update_tile(int r, Scalar sign, int a, int b, Update ty, State G, State H) {
    using V = Entry<Update>;
    const int columns = update_columns(kCriterion, r);
    const Update left = ty + a * columns, right = ty + b * columns;
    V g[kRows][kColumns]{}, h[kRows][kColumns]{};
    for (int j = 0; j < r; ++j)
        for (int u = 0; u < kRows; ++u)
            for (int v = 0; v < kColumns; ++v) {
                const Update tu = left + (u * columns + j), tv = right + (v * columns + j);
                g[u][v] += tu[0] * tv[0];
                if constexpr (kCriterion == Criterion::trace) {
                    h[u][v] += tu[0] * tv[r];
                    h[u][v] += tu[r] * tv[0];
                }
            }
    for (int u = 0; u < kRows; ++u)
        for (int v = 0; v < kColumns && b + v <= a + u; ++v) {
            G[triangle(a + u) + b + v] -= sign * g[u][v];
            if constexpr (kCriterion == Criterion::trace)
                H[triangle(a + u) + b + v] -= sign * h[u][v];
        }
}

/// G -= sign T T^T and, for the trace, H -= sign (T Y^T + Y T^T): sign is 1 when a sample was
/// added to M, -1 when one was removed. 1.5 r^3 multiplications (log-det: r^3 / 2).
template <int R, Criterion kCriterion, class Scalar, class Update, class State>
FS_HOST_DEVICE void update_state(int rank, Scalar sign, Update ty, State G, State H) {
    const int r = R > 0 ? R : rank;
    // With r known the compiler keeps T and Y in registers, and squares only get in its way.
    constexpr int kSide = R > 0 ? 1 : 2;
    const int squares = r - r % kSide;
    for (int a = 0; a < squares; a += kSide)
        for (int b = 0; b <= a; b += kSide)
            update_tile<kSide, kSide, kCriterion>(r, sign, a, b, ty, G, H);
    for (int b = 0; squares < r && b < r; ++b)
        update_tile<1, 1, kCriterion>(r, sign, squares, b, ty, G, H);
}

/// A <- I + sign G, packed.
template <class Scalar, class State, class Work>
FS_HOST_DEVICE void add_identity(int r, Scalar sign, State G, Work A) {
    for (int i = 0; i < r; ++i) {
        for (int j = 0; j < i; ++j) A[triangle(i) + j] = sign * G[triangle(i) + j];
        A[triangle(i) + i] = 1 + sign * G[triangle(i) + i];
    }
}

/// A <- its Cholesky factor (packed, lower), the diagonal inverted, in place.
/// A matrix that is not positive definite gives NaN, which the greedy driver looks for.
template <int R, class Work>
FS_HOST_DEVICE void cholesky(int rank, Work A) {
    using V = Entry<Work>;
    const int r = R > 0 ? R : rank;
    for (int j = 0; j < r; ++j) {
        const Work Aj = A + triangle(j);
        V pivot = Aj[j];
        for (int k = 0; k < j; ++k) pivot -= Aj[k] * Aj[k];
        const V inverse = 1 / Math<V>::root(pivot);
        Aj[j] = inverse;
        for (int i = j + 1; i < r; ++i) {
            const Work Ai = A + triangle(i);
            V sum = Ai[j];
            for (int k = 0; k < j; ++k) sum -= Ai[k] * Aj[k];
            Ai[j] = sum * inverse;
        }
    }
}

/// A <- the inverse of its Cholesky factor (packed, both lower), in place.
template <int R, class Work>
FS_HOST_DEVICE void inverse_cholesky(int rank, Work A) {
    using V = Entry<Work>;
    const int r = R > 0 ? R : rank;
    cholesky<R>(rank, A);
    for (int j = 0; j < r; ++j)  // forward substitution, column by column
        for (int i = j + 1; i < r; ++i) {
            const Work Ai = A + triangle(i);
            V sum = Ai[j] * A[triangle(j) + j];
            for (int k = j + 1; k < i; ++k) sum += Ai[k] * A[triangle(k) + j];
            Ai[j] = -sum * Ai[i];
        }
}

/// tr(H (I + sign G)^-1): what adding (sign 1) a candidate takes off tr(M^-1 F), or what
/// removing (sign -1) it puts on. `work` is a packed triangle.
template <int R, class Scalar, class State, class Work>
FS_HOST_DEVICE auto trace_score(int rank, Scalar sign, State G, State H, Work work) {
    using V = Entry<Work>;
    const int r = R > 0 ? R : rank;
    if constexpr (R == 1) {
        const V inverse = 1 / Math<V>::root(1 + sign * G[0]);
        return V(H[0] * inverse * inverse);
    } else {
        add_identity(r, sign, G, work);
        inverse_cholesky<R>(rank, work);
        V off{}, diagonal{};  // tr(H K^T K), K the inverse factor: its column products
        for (int i = 0; i < r; ++i)
            for (int j = 0; j <= i; ++j) {
                V sum{};
                for (int k = i; k < r; ++k)
                    sum += work[triangle(k) + i] * work[triangle(k) + j];
                if (i == j)
                    diagonal += H[triangle(i) + i] * sum;
                else
                    off += H[triangle(i) + j] * sum;
            }
        return V(diagonal + (off + off));
    }
}

/// log det(I + sign G): what adding a candidate puts on log det M. `work` is a packed triangle.
template <int R, class Scalar, class State, class Work>
FS_HOST_DEVICE auto log_det_score(int rank, Scalar sign, State G, Work work) {
    using V = Entry<Work>;
    const int r = R > 0 ? R : rank;
    if constexpr (R == 1) {
        return V(Math<V>::log(1 + sign * G[0]));
    } else {
        add_identity(r, sign, G, work);
        cholesky<R>(rank, work);
        V sum{};  // a logarithm a pivot: their product may overflow
        for (int i = 0; i < r; ++i) sum -= Math<V>::log(work[triangle(i) + i]);
        return V(sum + sum);
    }
}

/// scale s^T S s for a symmetric S [classes, classes] packed: Link::vector's G or H.
template <class Scalar, class Links, class Work>
FS_HOST_DEVICE auto quadratic_form(int classes, Scalar scale, Links s, Work S) {
    using V = Entry<Work>;
    V diagonal{}, off{};
    for (int a = 0; a < classes; ++a) {
        diagonal += s[a] * s[a] * S[triangle(a) + a];
        for (int b = 0; b < a; ++b) off += s[a] * s[b] * S[triangle(a) + b];
    }
    return V(scale * (diagonal + (off + off)));
}

/// S <- scale L^T S L for a symmetric S [r, r] packed; `work` [r].
template <int R, Link kLink, class Scalar, class Links, class Work>
FS_HOST_DEVICE void congruence(int rank, Scalar scale, Links s, Links mu, Work S, Work work) {
    using V = Entry<Work>;
    const int r = R > 0 ? R : rank;
    V total{};  // mu^T S mu
    if constexpr (kLink == Link::softmax) {
        for (int a = 0; a < r; ++a) {
            V sum{};  // (S mu)_a
            for (int b = 0; b < r; ++b)
                sum += mu[b] * (b <= a ? S[triangle(a) + b] : S[triangle(b) + a]);
            work[a] = sum;
            total += mu[a] * sum;
        }
    }
    for (int a = 0; a < r; ++a)
        for (int b = 0; b <= a; ++b) {
            V& entry = S[triangle(a) + b];
            if constexpr (kLink == Link::identity) entry = scale * entry;
            if constexpr (kLink == Link::diagonal) entry = scale * (s[a] * s[b] * entry);
            if constexpr (kLink == Link::softmax)
                entry = scale * (s[a] * s[b] * (entry - work[a] - work[b] + total));
        }
}

/// out <- scale L^T S L [r, r] for Link::columns and a symmetric S [classes, classes], both
/// packed and apart; `work` [classes].
template <class Scalar, class Links, class Work, class Out>
FS_HOST_DEVICE void column_congruence(int rank, int classes, Scalar scale, Links s, Links mu,
                                      Work S, Work work, Out out) {
    using V = Entry<Work>;
    using Value = decltype(Math<V>::at(V{}, 0));
    const auto entry = [&](int i, int j) {
        return S[i >= j ? triangle(i) + j : triangle(j) + i];
    };
    V total{};  // mu^T S mu
    for (int a = 0; a < classes; ++a) {
        V sum{};  // (S mu)_a
        for (int b = 0; b < classes; ++b) sum += mu[b] * entry(a, b);
        work[a] = sum;
        total += mu[a] * sum;
    }
    for (int k = 0; k < rank; ++k)
        for (int l = 0; l <= k; ++l) {
            const V row = s[rank + k], column = s[rank + l];
            const auto shifted = [&](int lane) {
                const int c = static_cast<int>(Math<V>::at(row, lane));
                const int e = static_cast<int>(Math<V>::at(column, lane));
                Value sum = Math<V>::at(total, lane);
                if (c < classes) sum -= Math<V>::at(work[c], lane);
                if (e < classes) sum -= Math<V>::at(work[e], lane);
                if (c < classes && e < classes) sum += Math<V>::at(entry(c, e), lane);
                return sum;
            };
            out[triangle(k) + l] = scale * (s[k] * s[l] * Math<V>::each(shifted));
        }
}

}  // namespace fisher_select
