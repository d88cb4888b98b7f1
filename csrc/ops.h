// SPDX-License-Identifier: Apache-2.0
// Table of contents: what the core computes. Each operation is declared here once, with its
// shapes, cost and numerics; cpu/ holds the implementations (cuda/ will hold the same stems).
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "context.h"
#include "factors.h"
#include "view.h"

namespace fisher_select {

/// Batch selection by tr(M^-1 F): BAIT and FisherMask (DESIGN section 2).
///
///     M_0 = lam I + shrink * mean over the labelled of V V^T,   F = mean over all of V V^T (or
///     I) forward_count times: add   the i with the largest  tr(H_i (I + G_i)^-1) down to
///     batch_size:  remove the i with the smallest tr(H_i (I - G_i)^-1)
struct TraceProblem {
    Factors factors;
    RowList labeled;  // never picked
    int64_t batch_size = 0, forward_count = 0;
    double lam = 1.0;
    double shrink = 1.0;  // of the labelled mean
    double scale = 1.0;   // of the pool's factors
    bool use_pool_fisher = true;
    int64_t chunk_rows = 0;                // 0: by cache size
    std::string instruction_set = "auto";  // or baseline, avx2, avx512
};

struct TraceResult {
    std::vector<int64_t> forward_indices;  // in the order picked
    std::vector<int64_t> indices;          // survivors, in forward order
    std::vector<double> scores;            // gain of each survivor when it was picked
    std::vector<double> objective;         // tr(M^-1 F) after each step of both stages
    int64_t refreshes = 0;
    double max_drift = 0.0;  // largest relative error of a screened score that was checked
    std::vector<std::pair<std::string, double>> seconds;  // by stage
};

namespace cpu {

/// Cost: F once (n D d / 2 or so), Q and P once (2.5 D^3), G and H once (n D^2 / (2 c) or so),
/// then a pick is one GEMM [n, d] x [d, 2 c r] and one reading of Q and P.
/// Memory beyond the inputs: 2 n r (r + 1) / 2 + 3 n r floats, 5 D^2 doubles, a chunk a thread.
/// Numerics: float32 screening checked against float64, float64 where that does not hold.
/// NumericalError where M is not positive definite or rounding cannot be cured.
TraceResult select_by_trace(const Context& context, const TraceProblem& problem);

}  // namespace cpu
}  // namespace fisher_select
