// SPDX-License-Identifier: Apache-2.0
// The mathematics of one candidate (DESIGN section 3), written once for every backend: the
// value type V is a float or double on a device and a vector of candidates on a CPU.
//
// Symmetric r x r matrices are packed lower triangles: entry (i, j), j <= i, lies at
// triangle(i) + j. R is r at compile time, or 0 for a rank known at run time only.
#pragma once

#include "portable.h"

namespace fisher_select {

/// How a sample's factor acts on the classes: L^T b for b [r].
enum class Link {
    identity,  ///< L = 1: regression, dense factors
    diagonal,  ///< L^T b = s b: sigmoid outputs, two classes, one block a class
    softmax,   ///< L^T b = s (b - <mu, b>): softmax over r + 1 classes, rotated (see factors.h)
};

FS_HOST_DEVICE constexpr int triangle(int i) { return i * (i + 1) / 2; }

/// TY [r, 2 r] = L^T B for the products B [r, 2 r] = x^T [U | R] of one candidate.
/// `product(a, j)` reads B; s, mu [r].
template <int R, Link kLink, class V, class Product>
FS_HOST_DEVICE void apply_link(int rank, const Product& product, const V* s, const V* mu,
                               V* ty) {
    const int r = R > 0 ? R : rank;
    for (int j = 0; j < 2 * r; ++j) {
        V shift{};
        if constexpr (kLink == Link::softmax)
            for (int a = 0; a < r; ++a) shift += mu[a] * product(a, j);
        for (int a = 0; a < r; ++a) {
            if constexpr (kLink == Link::identity) ty[a * 2 * r + j] = product(a, j);
            if constexpr (kLink == Link::diagonal) ty[a * 2 * r + j] = s[a] * product(a, j);
            if constexpr (kLink == Link::softmax)
                ty[a * 2 * r + j] = s[a] * (product(a, j) - shift);
        }
    }
}

/// G -= sign T T^T and H -= sign (T Y^T + Y T^T): sign is 1 when a sample was added to M,
/// -1 when one was removed. 3 r^3 multiplications.
template <int R, class V, class Scalar>
FS_HOST_DEVICE void update_state(int rank, Scalar sign, const V* ty, V* G, V* H) {
    const int r = R > 0 ? R : rank;
    for (int a = 0; a < r; ++a) {
        const V *ta = ty + a * 2 * r, *ya = ta + r;
        for (int b = 0; b <= a; ++b) {
            const V *tb = ty + b * 2 * r, *yb = tb + r;
            V g{}, h{};
            for (int j = 0; j < r; ++j) {
                g += ta[j] * tb[j];
                h += ta[j] * yb[j];
                h += ya[j] * tb[j];
            }
            G[triangle(a) + b] -= sign * g;
            H[triangle(a) + b] -= sign * h;
        }
    }
}

/// K <- the inverse of the Cholesky factor of A (packed, both lower), in place.
/// A matrix that is not positive definite gives NaN, which the greedy driver looks for.
template <int R, class V>
FS_HOST_DEVICE void inverse_cholesky(int rank, V* A) {
    const int r = R > 0 ? R : rank;
    for (int j = 0; j < r; ++j) {  // Cholesky; the diagonal is kept inverted
        V* Aj = A + triangle(j);
        V pivot = Aj[j];
        for (int k = 0; k < j; ++k) pivot -= Aj[k] * Aj[k];
        const V inverse = 1 / Math<V>::root(pivot);
        Aj[j] = inverse;
        for (int i = j + 1; i < r; ++i) {
            V* Ai = A + triangle(i);
            V sum = Ai[j];
            for (int k = 0; k < j; ++k) sum -= Ai[k] * Aj[k];
            Ai[j] = sum * inverse;
        }
    }
    for (int j = 0; j < r; ++j)  // forward substitution, column by column
        for (int i = j + 1; i < r; ++i) {
            V* Ai = A + triangle(i);
            V sum = Ai[j] * A[triangle(j) + j];
            for (int k = j + 1; k < i; ++k) sum += Ai[k] * A[triangle(k) + j];
            Ai[j] = -sum * Ai[i];
        }
}

/// tr(H (I + sign G)^-1): what adding (sign 1) a candidate takes off tr(M^-1 F), or what
/// removing (sign -1) it puts on. `work` is a packed triangle.
template <int R, class V, class Scalar>
FS_HOST_DEVICE V trace_score(int rank, Scalar sign, const V* G, const V* H, V* work) {
    const int r = R > 0 ? R : rank;
    if constexpr (R == 1) {
        const V inverse = 1 / Math<V>::root(1 + sign * G[0]);
        return H[0] * inverse * inverse;
    } else {
        for (int i = 0; i < r; ++i) {
            for (int j = 0; j < i; ++j) work[triangle(i) + j] = sign * G[triangle(i) + j];
            work[triangle(i) + i] = 1 + sign * G[triangle(i) + i];
        }
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
        return diagonal + (off + off);
    }
}

/// S <- scale L^T S L for a symmetric S [r, r] packed; `work` [r].
template <int R, Link kLink, class V, class Scalar>
FS_HOST_DEVICE void congruence(int rank, Scalar scale, const V* s, const V* mu, V* S, V* work) {
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

}  // namespace fisher_select
