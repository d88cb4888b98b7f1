// SPDX-License-Identifier: Apache-2.0
// Entries of L, L L^T and of the small matrices of a commit, one at a time: each is computed on
// its own, so that a CPU loops over them and a device gives each a thread. All float64.
#pragma once

#include "candidate.h"
#include "factors.h"

namespace fisher_select {

/// Entry (k, l) of L L^T for one group of a sample: the weight of x x^T in block (k, l) of
/// V V^T. w, m [classes] of the group and t as Factors::weights has them.
FS_HOST_DEVICE double block_weight(const double* w, const double* m, double t, int k, int l) {
    return (k == l ? w[k] : 0.0) - m[l] * w[k] - m[k] * w[l] + m[k] * m[l] * t;
}

/// Entry (b, j) of L [inner, r] in the classes, or slots, that the engine keeps.
FS_HOST_DEVICE double link_entry(const Factors& f, const double* s, const double* mu, int b,
                                 int j) {
    const double unit = b == j ? 1.0 : 0.0;
    switch (f.link) {
        case Link::identity: return unit;
        case Link::diagonal: return unit * s[j];
        case Link::vector: return s[b];
        case Link::columns:
            return ((b == static_cast<int>(s[f.rank + j]) ? 1.0 : 0.0) - mu[b]) * s[j];
        case Link::softmax: break;
    }
    return (unit - mu[b]) * s[j];
}

FS_HOST_DEVICE double packed(const double* symmetric, int i, int j) {
    return symmetric[i >= j ? triangle(i) + j : triangle(j) + i];
}

/// Values of `work` that the next function wants, and trace_score after it.
FS_HOST_DEVICE int congruence_work(const Factors& f) { return f.inner() + triangle(f.rank); }

/// S <- scale L^T S L of one group, whatever its link.
template <int R, class Work>
FS_HOST_DEVICE void congruence_any_link(const Factors& f, double scale, const double* s,
                                        const double* mu, Work S, Work work) {
    switch (f.link) {
        case Link::identity:
            return congruence<R, Link::identity>(f.rank, scale, s, mu, S, work);
        case Link::diagonal:
            return congruence<R, Link::diagonal>(f.rank, scale, s, mu, S, work);
        case Link::softmax: return congruence<R, Link::softmax>(f.rank, scale, s, mu, S, work);
        case Link::vector: S[0] = quadratic_form(f.classes, scale, s, S); return;
        case Link::columns: {
            const Work out = work + f.classes;
            column_congruence(f.rank, f.classes, scale, s, mu, S, work, out);
            for (int e = 0; e < triangle(f.rank); ++e) S[e] = out[e];
        }
    }
}

/// With K K^T = I + sign G and `inverse` = K^-1 (packed), the commit of a sample multiplies its
/// products with Q and P by E [inner, r] = scale L K^-T, so that U = Q V K^-T, and subtracts
/// sign U S / 2 from R, S [r, r] = K^-1 H K^-T. Entry (b, j) of E:
FS_HOST_DEVICE double update_entry(const Factors& f, double scale, const double* s,
                                   const double* mu, const double* inverse, int b, int j) {
    double sum = 0.0;
    for (int k = 0; k <= j; ++k) sum += link_entry(f, s, mu, b, k) * inverse[triangle(j) + k];
    return scale * sum;
}

/// Entry (i, j) of H K^-T, which the next function wants as half [j * r + i].
FS_HOST_DEVICE double half_step_entry(const double* H, const double* inverse, int i, int j) {
    double sum = 0.0;
    for (int k = 0; k <= j; ++k) sum += packed(H, i, k) * inverse[triangle(j) + k];
    return sum;
}

/// Entry (i, j) of S.
FS_HOST_DEVICE double step_entry(int r, const double* half, const double* inverse, int i,
                                 int j) {
    double sum = 0.0;
    for (int k = 0; k <= i; ++k) sum += inverse[triangle(i) + k] * half[j * r + k];
    return sum;
}

/// Whether rounding may have eaten a score: updates subtract from entries as large as
/// `error_scale`, so scores carry errors of about `resolution` times that. In float32 the drift
/// check sees the rest; float64 has nobody to check it. Removals (sign < 0) add: nothing
/// cancels.
FS_HOST_DEVICE bool worn_by_rounding(double sign, double resolution, double error_scale,
                                     double best) {
    const double tolerance = resolution > 1e-12 ? 1e-1 : 1e-8;
    return sign > 0 && 4 * resolution * error_scale > tolerance * best;
}

}  // namespace fisher_select
