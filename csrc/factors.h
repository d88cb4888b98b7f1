// SPDX-License-Identifier: Apache-2.0
// What a pool's samples look like to the engine: V_i = L_i (x) x_i, without ever storing V_i.
//
// One class fewer, exactly. Softmax Fisher is blind to adding one vector to every class, so the
// classes are rotated into the complement of (1, ..., 1), and the factor's null column sqrt(p)
// is reflected away: r = C - 1 classes and columns remain. With the Householder basis of that
// complement the rotated factor is still diagonal plus rank one,
//     L^T b = s (b - <mu, b>),   s_a = sqrt(p_a),   mu_a = p_a / (1 + sqrt p_C) - sqrt(p_C) /
//     (1 + sqrt C),
// for a < C: nothing of size r x r is stored or multiplied. Two classes: one number, sqrt(2 p_1
// p_2).
//
// The leading columns alone. With k the most likely class, reflecting the null column sqrt(p)
// onto k leaves the columns
//     sqrt(p_c) (e_c - mu), c != k,    mu_c = p_c / (1 + sqrt p_k),    mu_k = sqrt(p_k),
// whose product is diag(p) - p p^T still, and whose norms fall with p_c. A rank below C - 1
// keeps those of the r classes that are most likely after k: what is left out is positive
// semidefinite, and no other r of these columns leave less of the trace. The classes are not
// rotated here: the columns kept differ from sample to sample. What is known already, F and the
// labelled rows, keeps all columns: there they cost nothing.
//
// Classes that move as one. The last of the columns of a softmax's probabilities may be the sum
// over `merged` classes: M is then the information about the others' weights and about one
// vector that all merged ones share, along (0, ..., 0, 1, ..., 1) / sqrt(merged), so that lam I
// means what it means to C classes apart. That is F compressed to a subspace of the parameters,
// which holds all of it where merged = 1. With p_C the sum, C counting all classes, and the
// null direction (1, ..., 1, sqrt(merged)) / sqrt C rotated away as before,
//     mu_a = p_a / (1 + sqrt p_C) - sqrt(p_C) / (sqrt(merged) (sqrt C + sqrt(merged))).
//
// FactorKind::gradient is BADGE's gradient (e_yhat - p) (x) x as a factor of rank one. Its
// class part sums to zero, so it is rotated likewise: s_a = q_a - q_C / (1 + sqrt C), q =
// e_yhat - p.
#pragma once

#include <cmath>
#include <cstdint>

#include "candidate.h"
#include "view.h"

namespace fisher_select {

enum class FactorKind { softmax, sigmoid, gaussian, dense, block_diagonal, binary, gradient };

struct Factors {
    FactorKind kind = FactorKind::gaussian;
    VectorsView vectors;       // features x_i [n, 1, d], or dense factors [n, r, D]
    MatrixView probabilities;  // [n, C]; none for gaussian and dense
    Link link = Link::identity;
    int groups = 1;      // independent problems: one a class where the Fisher is block-diagonal
    int classes = 1;     // classes of a group, c
    int rank = 1;        // r; c and r differ for Link::vector and Link::columns alone
    int64_t merged = 1;  // classes that a softmax's last column of probabilities is the sum of

    FS_HOST_DEVICE int64_t count() const { return vectors.rows; }
    FS_HOST_DEVICE int64_t length() const { return vectors.length; }  // d, or D where dense
    FS_HOST_DEVICE int64_t block() const {
        return classes * vectors.length;
    }  // side of one group's M
    /// Vectors a sample brings to its factor: classes, or the slots of a dense one.
    FS_HOST_DEVICE int inner() const { return kind == FactorKind::dense ? rank : classes; }
    /// Columns of the panel [U | R] (log-det: U) that one commit brings to every candidate.
    FS_HOST_DEVICE int64_t panel_columns(Criterion criterion) const {
        return int64_t{groups} * classes * update_columns(criterion, rank);
    }
    /// Multiplications of one pick: the pool's products with the panel, and Q and P read once.
    double pick_cost(Criterion criterion) const {
        return static_cast<double>(count()) * static_cast<double>(length()) *
                   static_cast<double>(panel_columns(criterion) * vectors.slots) +
               static_cast<double>(groups * block()) * static_cast<double>(block());
    }
    /// Values of s of a sample, and of one of its groups. Link::columns has s_k and then the
    /// class of each column: as a number below 2^24, which a float holds exactly.
    FS_HOST_DEVICE int64_t link_size() const { return int64_t{groups} * group_links(); }
    FS_HOST_DEVICE int group_links() const {
        return link == Link::vector ? classes : link == Link::columns ? 2 * rank : rank;
    }
    /// Values of mu of a sample; the links that have it have one group.
    FS_HOST_DEVICE int64_t mean_size() const {
        return link == Link::softmax ? rank : link == Link::columns ? classes : 0;
    }

    /// s [link_size], mu [mean_size] of sample i; s is not written for Link::identity.
    FS_HOST_DEVICE void link_coefficients(int64_t i, double* s, double* mu) const;

    /// L L^T = diag(w) - w m^T - m w^T + t m m^T of each group of sample i, whatever its link:
    /// w, m [groups, classes], and t. `all_columns`: also those that `rank` leaves out.
    FS_HOST_DEVICE double weights(int64_t i, bool all_columns, double* w, double* m) const;

    /// One slot of sample i in float64, x [length].
    FS_HOST_DEVICE void load_vector(int64_t i, int slot, double* x) const;

    /// Samples [begin, begin + count) where they lie.
    Factors slice(int64_t begin, int64_t count) const {
        Factors part = *this;
        part.vectors = vectors.slice(begin, count);
        if (probabilities.data != nullptr)
            part.probabilities = probabilities.slice(begin, count);
        return part;
    }

    /// Whether two samples are the same to the last bit, so that one stands for both.
    FS_HOST_DEVICE bool same(int64_t i, int64_t j) const;

    /// Which options lower the memory of a matrix of all parameters: words for an error.
    const char* matrix_remedy(Criterion criterion) const;

    /// What tr(M^-1 F) has beyond the rotated classes when F = I: the blind block is lam I.
    double blind_trace(double lam) const;
    /// Likewise what log det M has beyond them.
    double blind_log_det(double lam) const;

private:
    bool rotated() const;
    FS_HOST_DEVICE double total_probability(int64_t i) const;
    FS_HOST_DEVICE int64_t next_class(int64_t i, int64_t last) const;
    FS_HOST_DEVICE double probability(int64_t i, int64_t c, double total) const;
    FS_HOST_DEVICE int64_t reflect(int64_t i, double total, double* mu) const;
};

FS_HOST_DEVICE void Factors::link_coefficients(int64_t i, double* s, double* mu) const {
    const int64_t C = probabilities.cols;
    const auto bernoulli = [](double q) { return sqrt(fmax(q * (1.0 - q), 0.0)); };
    switch (kind) {
        case FactorKind::gaussian:
        case FactorKind::dense: return;
        case FactorKind::sigmoid:
        case FactorKind::block_diagonal:
            for (int64_t c = 0; c < C; ++c) s[c] = bernoulli(probabilities.at(i, c));
            return;
        case FactorKind::binary: {
            double top = 0.0;
            for (int64_t c = 0; c < C; ++c) top = fmax(top, probabilities.at(i, c));
            s[0] = bernoulli(top);
            return;
        }
        case FactorKind::gradient: {
            int64_t top = 0;
            for (int64_t c = 1; c < C; ++c)
                if (probabilities.at(i, c) > probabilities.at(i, top)) top = c;
            const auto q = [&](int64_t c) {
                return (c == top ? 1.0 : 0.0) - probabilities.at(i, c);
            };
            const double last = q(C - 1) / (1.0 + sqrt(static_cast<double>(C)));
            for (int64_t c = 0; c + 1 < C; ++c) s[c] = q(c) - last;
            return;
        }
        case FactorKind::softmax: {
            const double total = total_probability(i);
            if (link == Link::columns) {
                int64_t c = reflect(i, total, mu);
                for (int k = 0; k < rank; ++k) {  // C r comparisons
                    c = next_class(i, c);
                    s[k] = sqrt(probability(i, c, total));
                    s[rank + k] = static_cast<double>(c);
                }
                return;
            }
            const double last = sqrt(probability(i, C - 1, total));
            const auto m = static_cast<double>(merged), all = static_cast<double>(C - 1) + m;
            if (C == 2) {
                s[0] = sqrt(all / m * probability(i, 0, total)) * last;
                return;
            }
            const double beta = 1.0 / (sqrt(m) * (sqrt(all) + sqrt(m)));
            for (int64_t c = 0; c + 1 < C; ++c) {
                const double p = probability(i, c, total);
                s[c] = sqrt(p);
                mu[c] = p / (1.0 + last) - beta * last;
            }
        }
    }
}

/// float32 rows sum to 1 only nearly.
FS_HOST_DEVICE double Factors::total_probability(int64_t i) const {
    double total = 0.0;
    for (int64_t c = 0; c < probabilities.cols; ++c) total += probabilities.at(i, c);
    return total;
}

/// The most likely class after `last` (-1: of all), of equals the lowest.
FS_HOST_DEVICE int64_t Factors::next_class(int64_t i, int64_t last) const {
    const double limit = last < 0 ? 0.0 : probabilities.at(i, last);
    int64_t best = -1;
    double most = 0.0;
    for (int64_t c = 0; c < probabilities.cols; ++c) {
        const double p = probabilities.at(i, c);
        const bool after = last < 0 || p < limit || (p == limit && c > last);
        if (after && (best < 0 || p > most)) {
            best = c;
            most = p;
        }
    }
    return best;
}

FS_HOST_DEVICE double Factors::probability(int64_t i, int64_t c, double total) const {
    return fmax(probabilities.at(i, c) / total, 0.0);
}

/// The most likely class k; mu of the columns that are left when k takes in the null column.
FS_HOST_DEVICE int64_t Factors::reflect(int64_t i, double total, double* mu) const {
    const int64_t k = next_class(i, -1);
    const double top = sqrt(probability(i, k, total));
    for (int64_t c = 0; c < classes; ++c)
        mu[c] = c == k ? top : probability(i, c, total) / (1.0 + top);
    return k;
}

FS_HOST_DEVICE double Factors::weights(int64_t i, bool all_columns, double* w,
                                       double* m) const {
    const int64_t size = int64_t{groups} * classes;
    for (int64_t a = 0; a < size; ++a) m[a] = 0.0;
    double total = 0.0;
    switch (link) {
        case Link::identity:
            for (int64_t a = 0; a < size; ++a) w[a] = 1.0;
            break;
        case Link::diagonal:
            link_coefficients(i, w, m);
            for (int64_t a = 0; a < size; ++a) w[a] *= w[a];
            break;
        case Link::vector:
            link_coefficients(i, m, m);
            for (int64_t a = 0; a < size; ++a) w[a] = 0.0;
            return 1.0;
        case Link::softmax:
            link_coefficients(i, w, m);
            for (int64_t a = 0; a < size; ++a) {
                w[a] *= w[a];
                total += w[a];
            }
            break;
        case Link::columns: {
            const double sum = total_probability(i);
            int64_t c = reflect(i, sum, m);
            for (int64_t a = 0; a < size; ++a)
                w[a] = all_columns && a != c ? probability(i, a, sum) : 0.0;
            for (int k = 0; !all_columns && k < rank; ++k) {
                c = next_class(i, c);
                w[c] = probability(i, c, sum);
            }
            for (int64_t a = 0; a < size; ++a) total += w[a];
        }
    }
    return total;
}

FS_HOST_DEVICE void Factors::load_vector(int64_t i, int slot, double* x) const {
    for (int64_t k = 0; k < vectors.length; ++k) x[k] = vectors.at(i, slot, k);
}

FS_HOST_DEVICE bool Factors::same(int64_t i, int64_t j) const {
    for (int64_t slot = 0; slot < vectors.slots; ++slot)
        for (int64_t k = 0; k < vectors.length; ++k)
            if (vectors.at(i, slot, k) != vectors.at(j, slot, k)) return false;
    if (probabilities.data == nullptr) return true;
    for (int64_t c = 0; c < probabilities.cols; ++c)
        if (probabilities.at(i, c) != probabilities.at(j, c)) return false;
    return true;
}

/// InputError where the shapes do not fit the kind. `columns`: how many of a softmax factor's
/// to keep, leading ones first; 0 keeps all. `merged`: classes that the last column of a
/// softmax's probabilities is the sum of.
Factors make_factors(FactorKind kind, const VectorsView& vectors,
                     const MatrixView& probabilities, int64_t columns = 0, int64_t merged = 1);

}  // namespace fisher_select
