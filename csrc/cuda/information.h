// SPDX-License-Identifier: Apache-2.0
// The information matrices of a selection on a device, float64: M, F, and Q = M^-1,
// P = M^-1 F M^-1, for every independent group of parameters. The last updates U, R are kept
// beside Q and P and folded in every few dozen picks, as on the CPU (cpu/information.h).
#pragma once

#include <cstdint>
#include <vector>

#include "device.h"
#include "factors.h"
#include "information_options.h"
#include "linear_algebra.h"
#include "memory.h"

namespace fisher_select::cuda {

/// The updates that Q and P lack: Q_now = Q - sign U U^T, P_now = P - sign (U R^T + R U^T).
struct Pending {
    double *u = nullptr, *r = nullptr;  // [groups, capacity, rank, c length]; r: trace only
    int64_t capacity = 0;               // in updates
    double sign = 1.0;
};

class Information {
public:
    /// M = lam I; F is the mean of V V^T over all samples, or the identity.
    Information(const Device& device, const Factors& factors, double lam,
                PoolFisher pool_fisher);

    /// M += coefficient * sum over `rows` of V V^T; takes effect on Q and P at refresh(). Of
    /// labelled rows all columns of L are added, of samples those that candidates have.
    void add_labeled(const RowList& rows, double coefficient);
    void add_samples(const RowList& rows, double coefficient);

    /// Q, P afresh from a Cholesky of M. NumericalError naming `step` where M is not positive
    /// definite. About 6 D^3 multiplications.
    void refresh(int64_t step);

    /// tr(M^-1 F), or without F log det M, at the last refresh.
    double objective() const;
    bool has_p() const { return pool_fisher_ != PoolFisher::none; }

    /// Folds the first `count` pending updates into Q and P. 3 D^2 rank multiplications each.
    void consolidate(int64_t count);
    const Pending& pending() const { return pending_; }
    void set_sign(double sign) { pending_.sign = sign; }

    /// Values of the products of one vector with Q, or P: [groups, c, c length], column b of
    /// group g being Q_g (e_b (x) x).
    int64_t product_size() const {
        return factors_.groups * factors_.block() * factors_.classes;
    }
    const SquareMatrix& Q(int group) const { return q_[static_cast<size_t>(group)]; }
    const SquareMatrix& P(int group) const { return p_[static_cast<size_t>(group)]; }
    /// Pointers to the Q, or P, of each group [groups], for kernels.
    const double* const* q_groups() const { return q_pointers_.data(); }
    const double* const* p_groups() const { return p_pointers_.data(); }

private:
    void accumulate(const RowList& rows, bool all_columns, double coefficient,
                    std::vector<SquareMatrix>& target);
    std::vector<SquareMatrix> square_matrices() const;

    const Device& device_;
    const Factors& factors_;
    PoolFisher pool_fisher_;
    std::vector<SquareMatrix> m_, f_, q_, p_;  // a matrix a group; f_ and p_ may be empty
    SquareMatrix factor_;                      // R of the last refresh: workspace
    DeviceBuffer<const double*> q_pointers_, p_pointers_;
    DeviceBuffer<double> u_, r_;
    Pending pending_;
    double log_det_ = 0.0;
};

}  // namespace fisher_select::cuda
