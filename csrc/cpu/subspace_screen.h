// SPDX-License-Identifier: Apache-2.0
// G and H of any candidate at any time, nearly, and without a history: from its vector in a
// subspace of a few directions, which hold most of what real features are. Q and P of the
// subspace are kept up to date, at next to no cost; x^T A x, for all blocks A of Q and P, is
// then a sum over the products of x's few coordinates, weights the same for all candidates:
//     x^T A x = sum over i >= j of (x_i x_j) (A_ij + A_ji), the diagonal once.
// Where an update of one candidate costs 2 d c r multiplications (columns of U | R), this costs
// q (q + 1) / 2 times c (c + 1), which is as much where q is about a fifth of d. The directions
// come in order, so that any number of leading ones is a coarser screen.
#pragma once

#include <cstdint>

#include "buffer.h"
#include "context.h"
#include "factors.h"
#include "information.h"
#include "pool_kernels.h"

namespace fisher_select::cpu {

class SubspaceScreen {
public:
    static constexpr int64_t kStep = 8;  // directions

    /// Chooses the subspace by a sample of `rows`, and takes the pool into it: reads it once,
    /// and keeps 4 directions() bytes a vector.
    SubspaceScreen(const Context& context, const Factors& factors, const RowList& rows,
                   const PoolKernels<float>& kernels);

    int64_t directions() const { return directions_; }
    /// How many of them hold most of the sample's squares.
    int64_t leading() const { return leading_; }

    /// Q and P, with no updates pending.
    void restart(const Information& information);

    /// One commit that added a sample, U | R [groups, c, 2 r, length], unscaled.
    void update(const Buffer<double>& panel);

    /// products [Q then P, groups, inner (inner + 1) / 2, stride] of candidates by the first q
    /// directions, unscaled, as QuadraticForms has them of the whole space. `work`
    /// [work_size(stride)].
    void compute(const int64_t* candidates, int64_t count, int64_t q, float* work,
                 float* products, int64_t stride) const;
    int64_t work_size(int64_t stride) const {
        return factors_.vectors.slots * directions_ * stride;
    }
    int64_t product_columns() const { return 2 * factors_.groups * pairs_; }
    /// Multiplications of a candidate.
    double cost(int64_t q) const {
        return static_cast<double>(triangle_of(q) * product_columns());
    }

private:
    static int64_t triangle_of(int64_t q) { return q * (q + 1) / 2; }
    void choose_directions(const RowList& rows);
    void load_vectors(const RowList& rows);
    void load_weights();
    int64_t block_count() const { return 2 * factors_.groups * blocks_; }
    double* form(bool of_p, int64_t group, int64_t block) {
        return forms_.data() +
               ((of_p * factors_.groups + group) * blocks_ + block) * directions_ * directions_;
    }

    const Context& context_;
    const Factors& factors_;
    const PoolKernels<float>& kernels_;
    int64_t pairs_;   // products of a candidate and a group
    int64_t blocks_;  // of a group's Q: of classes a >= b
    int64_t directions_ = 0, leading_ = 0;
    Buffer<double> basis_;   // [directions, length]
    Buffer<double> forms_;   // [2, groups, blocks, directions, directions]
    Buffer<double> images_;  // of a panel [panel columns, directions]
    Buffer<float> vectors_;  // [rows, slots, directions]
    /// Of all blocks, in panels: [., directions (directions + 1) / 2, kFormColumns].
    Buffer<float> weights_;
};

}  // namespace fisher_select::cpu
