// SPDX-License-Identifier: Apache-2.0
// The information matrices of a selection, float64: M (collected so far), F (the pool's), and
// Q = M^-1, P = M^-1 F M^-1, for every independent group of parameters.
//
// Q and P are not rewritten at each pick: the last U, R blocks are kept beside them,
//     Q_now = Q - sign U U^T,    P_now = P - sign (U R^T + R U^T),
// and folded in every few dozen picks by one GEMM. Products with Q and P read each pair of
// mirrored blocks once.
#pragma once

#include <cstdint>
#include <vector>

#include "buffer.h"
#include "context.h"
#include "factors.h"
#include "information_options.h"
#include "linear_algebra.h"
#include "pool_kernels.h"
#include "shard.h"

namespace fisher_select::cpu {

class Information {
public:
    /// M = lam I; F is the mean of V V^T over all samples, or the identity. Where the factors
    /// are a shard's, the samples and the labelled rows of all ranks count.
    Information(const Context& context, const Factors& factors,
                const PoolKernels<double>& kernels, double lam, PoolFisher pool_fisher,
                const Shard* shard = nullptr);

    /// M += coefficient * sum over `rows` of V V^T; takes effect on Q and P at refresh(). Of
    /// labelled rows all columns of L are added, of samples those that candidates have. Samples
    /// may be of another pool of the same shape.
    void add_labeled(const RowList& rows, double coefficient);
    void add_samples(const Factors& pool, const RowList& rows, double coefficient);

    /// Q, P afresh from a Cholesky of M. NumericalError naming `step` where M is not positive
    /// definite. About 2.5 D^3 multiplications.
    void refresh(int64_t step);

    /// tr(M^-1 F), or without F log det M, at the last refresh.
    double objective() const;
    bool has_p() const { return pool_fisher_ != PoolFisher::none; }

    /// Products with Q and P of `count` <= vectors_at_once() vectors x [count, length]:
    /// out [count, groups, c, c length], column b of group g being Q_g (e_b (x) x).
    /// Without P, px is not written.
    void products(const double* x, int count, double* qx, double* px);
    int64_t vectors_at_once() const { return vectors_at_once_; }
    int64_t product_size() const {
        return factors_.groups * factors_.block() * factors_.classes;
    }

    /// Appends one rank-r update U, R [groups, r, c length]: sign 1 added a sample, -1 removed.
    /// Without P, R is not read.
    void update(const double* U, const double* R, double sign);

    /// Current but for the last pending() updates, on and below the diagonal blocks [length,
    /// length].
    const SquareMatrix& Q(int group) const { return q_[static_cast<size_t>(group)]; }
    const SquareMatrix& P(int group) const { return p_[static_cast<size_t>(group)]; }
    int64_t pending() const { return pending_; }

private:
    SquareMatrix square_matrix() const;
    std::vector<SquareMatrix> square_matrices() const;
    void accumulate(const Factors& pool, const RowList& rows, bool all_columns,
                    double coefficient, std::vector<SquareMatrix>& target);
    void sum_over_ranks(std::vector<SquareMatrix>& matrices) const;
    void read_stored(const std::vector<SquareMatrix>& stored, const double* x, int count,
                     double* out) const;
    void subtract_pending(const double* x, int count, double* qx, double* px);
    void consolidate();

    const Context& context_;
    const Factors& factors_;
    const PoolKernels<double>& kernels_;
    PoolFisher pool_fisher_;
    const Shard* shard_;
    std::vector<SquareMatrix> m_, f_, q_, p_;  // a matrix a group; f_ and p_ may be empty
    double log_det_ = 0.0;                     // of M at the last refresh
    int64_t vectors_at_once_;
    int64_t capacity_, pending_ = 0;  // updates not yet folded into Q, P
    double sign_ = 1.0;
    Buffer<double> u_, r_;              // [groups, capacity r, c length]
    Buffer<double> u_dot_x_, r_dot_x_;  // [vectors_at_once, groups, capacity r c]
};

}  // namespace fisher_select::cpu
