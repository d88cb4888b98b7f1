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

/// Pairs that share a logarithm by multiply_in.
constexpr int kPairsALogarithm = 8;

/// The two largest logits of a pair, and the class of the first; where they are equal `second`
/// is as well, and of the classes any may be named.
template <class V>
struct TopTwo {
    V first, second, top;
};

/// Who shares a pair: threads that hold some of its classes each, which have to add up what
/// they found. This one is alone and holds them all.
struct NoTeam {
    template <class V>
    FS_HOST_DEVICE V sum(V part) const {
        return part;
    }
    template <class V>
    FS_HOST_DEVICE TopTwo<V> top_two(const TopTwo<V>& part) const {
        return part;
    }
    FS_HOST_DEVICE int name(int k) const { return k; }  // class of this thread's k-th
};

/// body(k) for k < count. kMost > 0 is the most that `count` can be: then arrays with kMost
/// entries stay in registers of a device.
template <int kMost, class Body>
FS_HOST_DEVICE void each_class(int count, const Body& body) {
    if constexpr (kMost > 0) {
        FS_UNROLL
        for (int k = 0; k < kMost; ++k)
            if (k < count) body(k);
    } else {
        for (int k = 0; k < count; ++k) body(k);
    }
}

/// rho and B of every label, handed to emit(k, rho, B), for |t| <= kSmallStep. Arrays, of any
/// kind of pointer, have an entry for each of the thread's `count` classes: s, q of sample j; p
/// of sample a; work e, u. An exponential a class, and one more.
template <int kMost, class V, class Array, class P, class Work, class Team, class Emit>
FS_HOST_DEVICE void small_step(int count, V t, Array s, Array q, P p, Work e, Work u,
                               const Team& team, const Emit& emit) {
    V rho{}, moment{};  // of the part -t p, which all labels share
    each_class<kMost>(count, [&](int k) {
        const V delta = -t * p[k];
        const V growth = expm1_small(delta);
        u[k] = s[k] + delta;
        e[k] = q[k] * growth + q[k];
        rho += q[k] * growth;
        moment += q[k] * (growth * u[k] + delta);
    });
    rho = team.sum(rho);
    moment = team.sum(moment);
    const V growth = expm1_small(t), shift = growth * t + t;  // class c grows by exp(t) more
    each_class<kMost>(count, [&](int c) {
        emit(c, e[c] * growth + rho, e[c] * (growth * u[c] + shift) + moment);
    });
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

/// H of every label, handed to emit(k, H), for any t: exponents are shifted by the largest
/// logit of each label's own distribution, so nothing overflows and no sum cancels. Arrays as
/// for small_step; s: logits of sample j up to a constant. 2 exponentials a class, and one
/// more.
template <int kMost, class V, class Array, class P, class Work, class Team, class Emit>
FS_HOST_DEVICE void large_step(int count, V t, Array s, P p, Work e, Work d, const Team& team,
                               const Emit& emit) {
    using S = typename Elements<V>::Scalar;
    const V none = V{} - ElementaryConstants<S>::infinity;
    TopTwo<V> logits{none, none, V{}};
    each_class<kMost>(count, [&](int k) {
        const V value = s[k] - t * p[k];
        const auto beyond = value > logits.first;
        const V runner_up = value > logits.second ? value : logits.second;
        logits.second = beyond ? logits.first : runner_up;
        logits.first = beyond ? value : logits.first;
        logits.top = beyond ? V{} + static_cast<S>(team.name(k)) : logits.top;
    });
    logits = team.top_two(logits);
    const V first = logits.first, second = logits.second, top = logits.top;
    // All but the top, relative to the second: one of the terms is 1.
    V sum{}, moment{};
    each_class<kMost>(count, [&](int k) {
        const V value = (s[k] - t * p[k]) - second;
        d[k] = value < 0 ? value : V{};
        const V term = exp_nonpositive(d[k]);
        e[k] = top == static_cast<S>(team.name(k)) ? V{} : term;
        sum += e[k];
        moment += e[k] * d[k];
    });
    sum = team.sum(sum);
    moment = team.sum(moment);
    const V gap = first - second, faded = exp_nonpositive(-gap);
    each_class<kMost>(count, [&](int c) {
        // The other classes, relative to the largest of them; their sum is at least 1.
        const auto is_top = top == static_cast<S>(team.name(c));
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
    });
}

}  // namespace fisher_select
