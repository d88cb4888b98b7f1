// SPDX-License-Identifier: Apache-2.0
// The objectives of information, tr(M^-1 F) and log det M, for the greedy driver: gains of
// adding a sample, or (negated) losses of removing one. Screens in float32 or float64, scores
// and commits in float64.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "context.h"
#include "factors.h"
#include "information.h"
#include "lazy_sweep.h"
#include "pool_state.h"

namespace fisher_select::cpu {

class InformationObjective {
public:
    /// Candidates are `rows` of the factors. `information` must be refreshed.
    InformationObjective(const Context& context, const Factors& factors, const RowList& rows,
                         Information& information, Direction direction, Precision precision,
                         const PoolOptions& options, const std::string& instruction_set);

    int64_t count() const { return rows_.count; }
    bool same(int64_t a, int64_t b) const { return factors_.same(rows_[a], rows_[b]); }
    double resolution() const;
    void calibrate(const std::vector<char>& taken);
    bool worn(double best) const;
    double error_scale() const { return error_scale_; }
    void set_error_scale(double scale) { error_scale_ = scale; }

    template <class Visit>
    void visit_screened(const Visit& visit) {
        apply_pending_update();
        const RowList whose = lazy_ ? lazy_->looked_at() : RowList{nullptr, count()};
        single_ ? visit(single_->scores(), whose) : visit(double_->scores(), whose);
    }
    void exact(const std::vector<int64_t>& candidates, double* scores);
    void commit(int64_t candidate);

    /// Commits a sample of another pool of the same shape, which must stay: all that are
    /// committed are of that pool then. Its score.
    double commit_sample(const Factors& pool, int64_t row);
    void refresh(int64_t step);
    bool raise_precision(int64_t step);

    /// Adds what was committed to M, for the next stage's refresh.
    void settle();

    /// tr(M^-1 F), or log det M, after each commit.
    const std::vector<double>& path() const { return path_; }

    /// Of the multiplications over candidates that a full search makes.
    double search_share() const { return lazy_ ? lazy_->share() : search_share_; }

private:
    /// What scoring one candidate exactly leaves behind for committing it; its vectors and
    /// products lie at its place in the batch.
    struct Candidate {
        int64_t index = -1;
        double score = 0.0;
    };

    /// Candidates scored in one reading of Q and P.
    int64_t batch_size() const {
        return information_.vectors_at_once() / factors_.vectors.slots;
    }
    void evaluate(const int64_t* candidates, int64_t size);
    void load(const Factors& pool, int64_t row, int64_t place);
    void score_batch();
    void commit_at(int64_t place);
    double evaluate_group(int64_t place, int group);
    void commit_group(int64_t place, int group);
    /// Where a group's products with Q (or P) of the candidate at `place` begin.
    int64_t products_at(int64_t place, int64_t group) const {
        return place * factors_.vectors.slots * information_.product_size() +
               group * factors_.block() * factors_.classes;
    }
    void apply_pending_update();
    void rebuild_state();

    const Context& context_;
    const Factors& factors_;
    RowList rows_;
    Information& information_;
    PoolOptions options_;
    Precision precision_;
    std::string instruction_set_;
    std::unique_ptr<PoolState<float>> single_;
    std::unique_ptr<PoolState<double>> double_;
    std::unique_ptr<LazySweep> lazy_;  // of single_, where not all are searched
    double search_share_ = 1.0;        // of a lazy_ that is gone

    // The last batch scored exactly: a candidate has one vector, or a slot each if dense.
    std::vector<Candidate> batch_;
    Buffer<double> x_;        // [vectors, length]
    Buffer<double> qx_, px_;  // [vectors, groups, c, c length]
    Buffer<double> s_, mu_;   // [batch, link_size], [batch, mean_size]
    Buffer<double> g_, h_;  // [batch, groups, inner (inner + 1) / 2], first r (r + 1) / 2 used

    Buffer<double> u_, r_, panel_;    // of one commit: [groups, r, c length], [columns, length]
    bool update_pending_ = false;     // panel_ has not reached the pool state
    const Factors* committed_pool_;   // where they lie:
    std::vector<int64_t> committed_;  // rows not yet in M
    std::vector<double> path_;
    double objective_, error_scale_ = 0.0;
};

}  // namespace fisher_select::cpu
