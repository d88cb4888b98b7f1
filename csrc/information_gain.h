// SPDX-License-Identifier: Apache-2.0
// The mathematics of one pair of a pool sample a and an evaluation sample j: the entropies of j
// after one SGD step of the last layer on (x_a, c), for every label c (DESIGN section 3). V is
// a float or double on a device and a vector of pool samples on a CPU; S is its scalar.
//
// The step moves the logits of j by -t (p - e_c), t = lr (<x_j, x_a> + 1_bias), so only class c
// depends on c, and O(C) exponentials do for all C labels. With q = softmax(z_j) and the logits
// shifted to s = log q + H(q), whose mean under q is 0, a label changes
//
//     sum of exp(s)    by the factor 1 + rho,   rho = sum q (exp(delta) - 1)
//     sum q s = 0      to B = sum q ((exp(delta) - 1) s + exp(delta) delta)
//
// and H by log(1 + rho) - B / (1 + rho): all of them small when t is, so the change of H keeps
// its digits however small the step.
#pragma once

#include "elementary.h"

namespace fisher_select {

/// Up to this |t| a pair takes small_step. It is below ln(2) / 2, expm1_small's range.
constexpr float kSmallStep = 0.34F;

/// rho and B of every label, handed to emit(c, rho, B), for |t| <= kSmallStep.
/// s, q [classes] of sample j; p [classes] of sample a; work e, u [classes].
/// classes + 1 exponentials.
template <int kClasses, class V, class S, class Emit>
FS_HOST_DEVICE void small_step(int classes, V t, const S* s, const S* q, const V* p, V* e, V* u,
                               const Emit& emit) {
    const int count = kClasses > 0 ? kClasses : classes;
    V rho{}, moment{};  // of the part -t p, which all labels share
    for (int k = 0; k < count; ++k) {
        const V delta = -t * p[k];
        const V growth = expm1_small(delta);
        u[k] = s[k] + delta;
        e[k] = q[k] * growth + q[k];
        rho += q[k] * growth;
        moment += q[k] * (growth * u[k] + delta);
    }
    const V growth = expm1_small(t), shift = growth * t + t;  // class c grows by exp(t) more
    for (int c = 0; c < count; ++c)
        emit(c, e[c] * growth + rho, e[c] * (growth * u[c] + shift) + moment);
}

/// Sum of log(1 + rho) - B / (1 + rho) over pairs, as log(1 + product) - quotient / (1 +
/// product): a logarithm and a division for many pairs. The factors 1 + rho lie within
/// exp(+-|t|), so some ten of them multiply without loss.
template <class V>
FS_HOST_DEVICE void multiply_in(V rho, V moment, V& product, V& quotient) {
    quotient += quotient * rho + (moment * product + moment);
    product += product * rho + rho;
}
template <class V>
FS_HOST_DEVICE V entropy_change(V product, V quotient) {
    const V whole = 1 + product;
    const V lost = product - (whole - 1);  // by rounding: log(1 + x) keeps its digits
    return log_positive(whole) + (lost - quotient) / whole;
}

/// H of every label, handed to emit(c, H), for any t: exponents are shifted by the largest
/// logit of each label's own distribution, so nothing overflows and no sum cancels.
/// s [classes]: logits of sample j up to a constant. work e, d [classes].
/// 2 classes + 1 exponentials.
template <int kClasses, class V, class S, class Emit>
FS_HOST_DEVICE void large_step(int classes, V t, const S* s, const V* p, V* e, V* d,
                               const Emit& emit) {
    const int count = kClasses > 0 ? kClasses : classes;
    // The two largest of the logits s - t p. Ties may share the name of `first`: its logit then
    // equals `second`.
    V first = s[0] - t * p[0], second = s[1] - t * p[1], top{};
    {
        const auto swap = second > first;
        const V larger = swap ? second : first;
        second = swap ? first : second;
        first = larger;
        top = swap ? top + 1 : top;
    }
    for (int k = 2; k < count; ++k) {
        const V value = s[k] - t * p[k];
        const auto beyond = value > first;
        const V runner_up = value > second ? value : second;
        second = beyond ? first : runner_up;
        first = beyond ? value : first;
        top = beyond ? V{} + static_cast<S>(k) : top;
    }
    // All but the top, relative to the second: one of the terms is 1.
    V sum{}, moment{};
    for (int k = 0; k < count; ++k) {
        const V value = (s[k] - t * p[k]) - second;
        d[k] = value < 0 ? value : V{};
        const V term = exp_nonpositive(d[k]);
        e[k] = top == static_cast<S>(k) ? V{} : term;
        sum += e[k];
        moment += e[k] * d[k];
    }
    const V gap = first - second, faded = exp_nonpositive(-gap);
    for (int c = 0; c < count; ++c) {
        // The other classes, relative to the largest of them; their sum is at least 1.
        const auto is_top = top == static_cast<S>(c);
        const V rest = sum - e[c], rest_moment = moment - e[c] * d[c];
        const V others = is_top ? sum : 1 + faded * rest;
        const V others_moment = is_top ? moment : faded * (rest_moment - gap * rest);
        // Class c itself stands `ahead` of that.
        const V ahead = (s[c] - (is_top ? second : first)) + t * (1 - p[c]);
        const auto leads = ahead > 0;
        const V term = exp_nonpositive(leads ? -ahead : ahead);
        const V Z = leads ? 1 + term * others : others + term;
        const V A =
            leads ? term * (others_moment - ahead * others) : others_moment + term * ahead;
        emit(c, log_positive(Z) - A / Z);
    }
}

}  // namespace fisher_select
