// SPDX-License-Identifier: Apache-2.0
// Table of contents: what the core computes. Each operation is declared here once, with its
// shapes, cost and numerics; cpu/ and cuda/ hold the implementations under the same stems.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "context.h"
#include "factors.h"
#include "search.h"
#include "shard.h"
#include "view.h"

namespace fisher_select {

/// What every greedy over information takes.
struct InformationProblem {
    Factors factors;
    RowList labeled;  // never picked; sorted
    int64_t batch_size = 0;
    double lam = 1.0;
    int64_t chunk_rows = 0;                // 0: by cache size
    std::string instruction_set = "auto";  // or baseline, avx2, avx512

    /// Of a pool that several processes hold together (CPU only), else nullptr. Factors and
    /// labelled rows are then the shard's, the picks rows of the whole pool.
    const Shard* shard = nullptr;
    int64_t labeled_count() const { return shard ? shard->labeled : labeled.count; }
};

/// Batch selection by tr(M^-1 F): BAIT and FisherMask (DESIGN section 2).
///
///     M_0 = lam I + shrink * mean over the labelled of V V^T
///     F = mean over all of V V^T, or I
///     forward_count times: add the i with the largest tr(H_i (I + G_i)^-1)
///     down to batch_size: remove the i with the smallest tr(H_i (I - G_i)^-1)
struct TraceProblem : InformationProblem {
    int64_t forward_count = 0;
    double shrink = 1.0;  // of the labelled mean
    double scale = 1.0;   // of the pool's factors
    bool use_pool_fisher = true;
    SearchOptions search;  // of the forward stage, CPU only

    /// Rows with the largest gains at M_0 that the forward stage picks from; 0: all that are
    /// not labelled. Not where `shard` is set.
    int64_t candidates = 0;
};

/// How log det M is kept: by M itself, or, for Link::vector alone, by the kernel of the
/// samples.
enum class LogDetForm { automatic, kernel, matrix };

/// Batch selection by log det M (D-optimal design):
///
///     M_0 = lam I + sum over the labelled of V V^T
///     batch_size times: add the i with the largest log det(I + G_i)
struct LogDetProblem : InformationProblem {
    LogDetForm form = LogDetForm::automatic;
};

struct InformationResult {
    std::vector<int64_t> indices;          // kept, in the order picked
    std::vector<double> scores;            // gain of each when it was picked
    std::vector<double> objective;         // after each step (of both stages)
    std::vector<int64_t> forward_indices;  // trace: all forward picks
    int64_t refreshes = 0;
    double max_drift = 0.0;     // largest relative error of a screened score that was checked
    double search_share = 1.0;  // trace: of a full search's work, in the forward stage
    std::vector<std::pair<std::string, double>> seconds;  // by stage
};

struct LogDetResult : InformationResult {
    bool kernel_form = false;
    int64_t entries = 0;  // of the kernel form's factor, computed while picking
};

/// What k-centre greedy and BADGE take. Points are the features, or, with probabilities, the
/// gradients x (x) (e_yhat - p) of a softmax last layer.
struct DistanceProblem {
    VectorsView features;      // [n, 1, d]
    MatrixView probabilities;  // [n, C]; no data: the features themselves
    RowList labeled;           // never picked
    int64_t batch_size = 0;
    int64_t first = 0;  // k-centre: the first pick where nothing is labelled
    uint64_t seed = 0;  // BADGE
    int64_t chunk_rows = 0;
    std::string instruction_set = "auto";

    /// Of a pool that several processes hold together, as above; `first` is a row of all.
    const Shard* shard = nullptr;
    int64_t labeled_count() const { return shard ? shard->labeled : labeled.count; }
};

struct DistanceResult {
    std::vector<int64_t> indices;    // in the order picked
    std::vector<double> scores;      // distance to the nearest centre when picked
    int64_t full_distances = 0;      // computed from whole rows, of n centers there are
    int64_t screened_distances = 0;  // bounded by products of matrices first
    int64_t centers = 0;
    std::vector<std::pair<std::string, double>> seconds;  // by stage
};

/// Which parameters a mask keeps (DESIGN section 2, FisherMask): those of `always`, and in each
/// layer the `quotas` largest entries of the diagonal among the others, ties to the lowest.
struct MaskProblem {
    struct Range {
        int64_t begin = 0, end = 0;
    };
    ValuesView diagonal;               // [n], finite and not negative
    std::vector<Range> always;         // sorted, apart
    std::vector<int64_t> layer_sizes;  // [L], adding up to n
    std::vector<int64_t> quotas;       // [L], at most a layer's size less its part of `always`

    /// Parameters of the mask.
    int64_t count() const {
        int64_t sum = 0;
        for (int64_t quota : quotas) sum += quota;
        for (const Range& range : always) sum += range.end - range.begin;
        return sum;
    }
};

/// What one SGD step of the last layer on each pool row, under each label it may get, does to
/// the entropy over an evaluation set (DESIGN section 2).
struct GainProblem {
    VectorsView features;                   // [n, d]
    MatrixView probabilities;               // [n, C], or no rows: softmax of the last layer
    VectorsView eval_features;              // [m, d]
    MatrixView weight;                      // [d, C] of the last layer
    const double* bias = nullptr;           // [C]; nullptr: the layer has none
    const double* class_weights = nullptr;  // [C]: w_c = class weight, times p_c where
    bool by_probability = true;             // by_probability
    bool normalize = false;                 // w_c add up to 1 in each row
    double learning_rate = 5e-4;
    int64_t chunk_rows = 0;                // rows a task takes, in whole blocks; 0: a block
    std::string instruction_set = "auto";  // or baseline, avx2, avx512
};

/// Sums of Euclidean distances of all rows to some references, kept without rounding in levels
/// (mean_distance.h).
struct DistanceSumsProblem {
    VectorsView features;    // [n, d]
    VectorsView references;  // [., d]; no data: the features themselves
    RowList rows;            // of the references [k]
    double scale = 1.0;      // a power of two that brings every distance to 1 at the most
    int bits = 0;            // of a level: 2^(52 - bits) >= k, for all sums that are to meet
    int64_t chunk_rows = 0;  // rows a task takes, in whole blocks; 0: by cache size
    std::string instruction_set = "auto";  // or baseline, avx2, avx512
};

namespace cpu {

/// Cost: F once (n D d / 2 or so), Q and P once (2.5 D^3), G and H once (n D^2 / (2 c) or so),
/// then a pick is one GEMM [n, d] x [d, 2 c r] and one reading of Q and P.
/// Memory beyond the inputs: 2 n r (r + 1) / 2 + 3 n r floats, 5 D^2 doubles, a chunk a thread.
/// With `candidates` these take the place of n in a pick and in memory, where they are copied
/// to; G and H of all n are computed once, in float64, by slices (prefilter.h).
/// Numerics: float32 screening checked against float64, float64 where that does not hold.
/// NumericalError where M is not positive definite or rounding cannot be cured.
InformationResult select_by_trace(const Context& context, const TraceProblem& problem);

/// In the matrix form half the GEMM and half the state of the trace, and no F; numerics and
/// errors likewise. Rank-one factors (Link::vector) have a kernel form without any D x D matrix
/// (pivoted_cholesky.h), all float64. Cost: n m (d + c + m / 2) multiplications for the
/// labelled rows, then d + c + m + B for each row and pick that a bound cannot rule out.
/// Memory beyond the inputs: n (m + B) + m^2 doubles. NumericalError where a pick's gain is
/// lost in rounding. The form with fewer multiplications is taken, every row and pick counted,
/// unless it would hold more than 1 GiB and the other one less. Same picks.
LogDetResult select_by_log_det(const Context& context, const LogDetProblem& problem);

/// Farthest-first: batch_size times the row farthest from its nearest centre, a pick or a
/// labelled row. Cost: one reading of the arrays, 30 n d flops, then for the rows whose last
/// known distance reaches the radius alone: some 20 cycles for 16 centres missed, and 3 d flops
/// for each that their summaries cannot rule out. Where 256 rows or more are labelled and the
/// summaries of a sample rule out less than 7 of 8 of them, float32 products do that instead:
/// 2 n m (d + C) flops at the most, far less where few rows are picked, and a reading of the
/// rows for each 32 MB of labelled ones.
/// Memory beyond the inputs: some 100 bytes a row (180 for gradients); for the products 32 MB
/// or 256 labelled rows, and 256 (d + C + 512) floats a thread. Arrays whose rows are not
/// contiguous (Fortran order) are copied, whole, also where they are memory-mapped. Of a
/// sharded pool every rank holds the picks and all labelled rows beside its own. Numerics:
/// distances in float64 from differences; picks and scores depend on neither the summaries nor
/// the products. NumericalError where squared distances overflow.
DistanceResult k_center(const Context& context, const DistanceProblem& problem);

/// BADGE: the largest gradient first, then D^2 sampling (k-means++) among the unlabelled; rows
/// at a centre only when no others are left, lowest first. Labelled rows are no centres. Cost,
/// memory and numerics likewise.
DistanceResult badge(const Context& context, const DistanceProblem& problem);

/// The kept parameters, sorted. InputError naming the first entry that is negative or no
/// number. Cost: one reading of the diagonal at some instructions an entry where few are kept;
/// else a further one for the list and for each 16 bits that many entries about the threshold
/// share. Memory beyond the result: 8 bytes an entry kept or tied with the threshold (float64:
/// 16).
std::vector<int64_t> top_k_mask(const Context& context, const MaskProblem& problem);

/// total[j] += sum over the rows of weight[i] * gradients[i, j]^2: a part of a diagonal Fisher.
/// total [params] is float32 or float64, contiguous. Cost: one reading of the gradients.
/// Numerics: float64 sums in the order of the rows, rounded to `total` once.
void accumulate_squares(const Context& context, const MatrixView& gradients,
                        const double* weights, DType total_dtype, void* total);

/// Scores [n]: H1 - sum over c of w_c H2_c, in nats, means over the evaluation set.
/// Cost: n m d multiplications, and n m C times some 25 to 90 operations: C + 1 exponentials a
/// pair where the step moves its logits by less than 0.34, 2 C + 1 elsewhere.
/// Memory beyond the inputs: 2 m C values; nothing of size n C or n m.
/// Numerics: float32 pairs where both feature arrays are, float64 sums; else all float64. The
/// scores depend neither on threads nor on chunks, and equal rows get equal scores.
/// A score is not finite where a logit overflows. InputError where weights that add up to 0
/// were to be normalised.
std::vector<double> information_gain(const Context& context, const GainProblem& problem);

/// Sums [kSumLevels, n], scaled. Cost: n k d differences and their squares, half of them where
/// the references are all the features; n k square roots. The squares come from differences,
/// not from a GEMM: at the same time a pair (a distance serves both its rows), near rows keep
/// their digits, equal rows are exactly 0 apart, and the distance of two rows has the same bits
/// wherever they stand. So the sums depend on neither threads nor chunks.
/// Memory beyond the sums: 8 MB or 8 references, and a chunk of float64 rows a thread.
std::vector<double> distance_sums(const Context& context, const DistanceSumsProblem& problem);

}  // namespace cpu

/// The same operations on a CUDA device: equal picks, equal numerics, the same errors. Views
/// (features, probabilities, factors, gradients, ...) point to memory of the device; row lists
/// and what is small (weights, ranges, quotas) lie on the host.
namespace cuda {

class Device;

InformationResult select_by_trace(const Device& device, const Context& context,
                                  const TraceProblem& problem);
/// In matrix form.
LogDetResult select_by_log_det(const Device& device, const Context& context,
                               const LogDetProblem& problem);
DistanceResult k_center(const Device& device, const Context& context,
                        const DistanceProblem& problem);
DistanceResult badge(const Device& device, const Context& context,
                     const DistanceProblem& problem);
std::vector<int64_t> top_k_mask(const Device& device, const Context& context,
                                const MaskProblem& problem);
void accumulate_squares(const Device& device, const Context& context,
                        const MatrixView& gradients, const double* weights, DType total_dtype,
                        void* total);
std::vector<double> information_gain(const Device& device, const Context& context,
                                     const GainProblem& problem);
std::vector<double> distance_sums(const Device& device, const Context& context,
                                  const DistanceSumsProblem& problem);

}  // namespace cuda
}  // namespace fisher_select
