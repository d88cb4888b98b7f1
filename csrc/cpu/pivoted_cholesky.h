// SPDX-License-Identifier: Apache-2.0
// Rank-one samples v_i without any D x D matrix: M = lam I + sum over the members S of v v^T,
// seen through the kernel K_ij = <v_i, v_j>, which for v = x (x) s is <x_i, x_j> <s_i, s_j>.
//
// With L L^T = K_SS + lam I and l_i = L^-1 K_Si (Woodbury's identity),
//     lam v_i^T M^-1 v_i = K_ii - |l_i|^2,                       the residual of row i,
//     det(M + v_i v_i^T) = det M (1 + residual / lam),
// and a new member t adds one entry to every l_i: (K_it - <l_i, l_t>) / sqrt(lam + residual_t).
// A residual only falls, so a row that misses some entries still has an upper bound, and can
// wait until its bound is the largest (lazy_maximum.h). All float64: the factorisation is
// backward stable, and nothing has to be refreshed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "buffer.h"
#include "context.h"
#include "factors.h"
#include "pool_kernels.h"
#include "scattered_rows.h"

namespace fisher_select::cpu {

class PivotedCholesky {
public:
    /// M with the labelled rows; room for `picks` more. The factors' link must be
    /// Link::vector. n m (d + c + m / 2) multiplications in BLAS; the buffers are those of
    /// kernel_values(). NumericalError where squared norms overflow or M is not positive
    /// definite.
    PivotedCholesky(const Context& context, const Factors& factors, const RowList& labeled,
                    int64_t picks, double lam, const std::string& instruction_set);

    /// An upper bound of the row's residual, which it is itself where the row is fresh.
    double residual(int64_t row) const { return residuals_[row]; }
    bool fresh(int64_t row) const { return known_[row] == static_cast<int32_t>(picks_.size()); }

    /// Adds the entries that the row misses, d + c + m + picks multiplications each, as long as
    /// its residual is not below `enough`; returns that. One thread a row at a time.
    double evaluate(int64_t row, double enough, int thread);

    /// The gain of log det M that a row of this residual brings.
    double gain(double residual) const;

    /// Makes a fresh row a member. NumericalError naming the step where rounding has eaten its
    /// residual.
    void add(int64_t row);

    /// Of M on the rotated classes, see factors.h.
    double log_det() const { return log_det_; }

    /// Entries that evaluate() has computed, of all threads.
    int64_t entries() const;

private:
    struct alignas(64) Worker {  // a cache line apart from the next one's
        Buffer<double> x, s;     // one row
        int64_t entries = 0;
    };
    struct Block;

    void factorize(const RowList& labeled);
    void load_pool();
    void load(int64_t begin, int64_t count, Block& block) const;
    void solve_block(int64_t begin, Block& block);
    double dot(const double* a, const double* b, int64_t length) const;
    double* factor_row(int64_t row) { return rows_.data() + row * width_; }

    const Context& context_;
    const Factors& factors_;
    const PoolKernels<double>& kernels_;
    int64_t labeled_, width_;  // m, and m + picks
    double lam_;
    Buffer<double> x_, s_;         // [width, d], [width, c]: the members'
    Buffer<double> l_;             // [m, m]: L of the labelled rows
    Buffer<double> rows_;          // [n, width]: l_i; never touched where nobody has looked
    Buffer<double> residuals_;     // [n]
    Buffer<int32_t> known_;        // [n] picks whose entries the row has
    std::vector<int64_t> picks_;   // rows
    std::vector<double> pivots_;   // [picks] sqrt(lam + residual)
    std::vector<Worker> workers_;  // one a thread
    ScatteredRows vectors_read_, probabilities_read_;
    double log_det_ = 0.0;
};

/// Values that the buffers hold: n (m + picks), m^2, and the members themselves.
double kernel_values(const Factors& factors, int64_t labeled, int64_t picks);

}  // namespace fisher_select::cpu
