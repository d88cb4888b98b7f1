// SPDX-License-Identifier: Apache-2.0
// Exact float64 scores of a few candidates from Q and P, and the update U, R that the winner's
// commit brings: what cpu/information_objective.cpp does, as a chain of kernels on the device.
#pragma once

#include <cstdint>

#include "candidate.h"
#include "device.h"
#include "factors.h"
#include "information.h"
#include "memory.h"
#include "pick_state.h"
#include "pool_state.h"

namespace fisher_select::cuda {

constexpr int kPlaces = 8;  // leaders that one reading of Q and P serves

/// The arrays of an evaluation, for kernels: a candidate has a place, and a vector a slot.
struct Evaluation {
    Factors factors;
    RowList rows;
    Criterion criterion;
    double scale, sign;
    Pending pending;
    const double* const* q;  // [groups]
    const double* const* p;
    PickState* state;
    double* x;                // [places, slots, length]
    double *qx, *px;          // [places, slots, groups, c, c length]
    double *s, *mu;           // [places, link_size], [places, mean_size]
    double *g, *h;            // [places, groups, inner (inner + 1) / 2]
    double *u_dots, *r_dots;  // [places, slots, groups, capacity rank, c]
    double* group_scores;     // [places, groups]
    double* work;             // [places, groups, congruence_work]
    double *inverse, *half;   // [groups, r (r + 1) / 2], [groups, r, r]
    double *E, *S;            // [groups, r, inner], [groups, r, r], columns contiguous
};

/// Values of one vector's products with Q or P.
__device__ inline int64_t product_size(const Evaluation& e) {
    return e.factors.groups * e.factors.block() * e.factors.classes;
}

/// Where a group's products of the candidate at `place` begin.
__device__ inline int64_t products_at(const Evaluation& e, int64_t place, int64_t group) {
    return place * e.factors.vectors.slots * product_size(e) +
           group * e.factors.block() * e.factors.classes;
}

/// Which leaders to evaluate: kPlaces from `first` on, or kWinner alone.
constexpr int kWinner = -1;

class Evaluator {
public:
    Evaluator(const Device& device, const Factors& factors, const RowList& rows,
              const Information& information, const PoolOptions& options, PickState* state);

    /// Exact scores of kPlaces leaders, while `pending` updates are not yet in Q and P. Reads Q
    /// and P once for four vectors.
    void evaluate(int first, int64_t pending);

    /// U, R of the winner: into the pending updates at `slot`, and as a panel [groups, c, 2 r,
    /// length] (log-det: r) for the pool's sweep.
    template <class T>
    void commit(int64_t slot, T* panel);

    const Evaluation& arrays() const { return arrays_; }

private:
    const Device& device_;
    const Information& information_;
    Evaluation arrays_;
    DeviceBuffer<double> values_;  // all of the arrays
};

}  // namespace fisher_select::cuda
