// SPDX-License-Identifier: Apache-2.0
// Exact scores and commits of the information objectives, float64; see
// information_objective.h.
#include "information_objective.h"

#include <algorithm>
#include <limits>

#include "dispatch.h"
#include "error.h"
#include "factor_entries.h"
#include "lazy_sweep.h"
#include "parallel.h"

namespace fisher_select::cpu {
namespace {

constexpr int64_t kSlab = 512;  // rows of U, R a task computes
constexpr const char* kRemedy = "lower the feature width or the number of classes";

double dot(const double* a, const double* b, int64_t n) {
    double total = 0.0;
    for (int64_t k = 0; k < n; ++k) total += a[k] * b[k];
    return total;
}

/// The small matrices of one commit, column-major.
struct Step {
    std::vector<double> E;  // [inner, r]: scale L K^-T, so that U = Q V K^-T = QX E
    std::vector<double> S;  // [r, r]: K^-1 H K^-T; without H empty
};

/// K K^T = I + sign G. `links` are s, mu of one group.
Step small_step(const Factors& f, const double* s, const double* mu, const double* G,
                const double* H, const PoolOptions& options) {
    const int r = f.rank, inner = f.inner();
    std::vector<double> inverse(static_cast<size_t>(triangle(r)));  // K^-1
    add_identity(r, options.sign, G, inverse.data());
    inverse_cholesky<0>(r, inverse.data());
    Step step;
    for (int j = 0; j < r; ++j)
        for (int b = 0; b < inner; ++b)
            step.E.push_back(update_entry(f, options.scale, s, mu, inverse.data(), b, j));
    if (H == nullptr) return step;
    std::vector<double> half;
    for (int j = 0; j < r; ++j)
        for (int i = 0; i < r; ++i) half.push_back(half_step_entry(H, inverse.data(), i, j));
    for (int j = 0; j < r; ++j)
        for (int i = 0; i < r; ++i)
            step.S.push_back(step_entry(r, half.data(), inverse.data(), i, j));
    return step;
}

}  // namespace

InformationObjective::InformationObjective(const Context& context, const Factors& factors,
                                           const RowList& rows, Information& information,
                                           Direction direction, Precision precision,
                                           const PoolOptions& options,
                                           const std::string& instruction_set)
    : context_(context),
      factors_(factors),
      rows_(rows),
      information_(information),
      options_(options),
      precision_(precision),
      instruction_set_(instruction_set),
      committed_pool_(&factors),
      objective_(information.objective()) {
    options_.sign = direction == Direction::add ? 1.0 : -1.0;
    const int64_t batch = batch_size(), vectors = batch * factors.vectors.slots;
    const int64_t groups = factors.groups, rank = factors.rank;
    constexpr const char* kPurpose = "the leaders' products with Q and P";
    x_ = Buffer<double>({vectors, factors.length()}, kPurpose, kRemedy);
    qx_ = Buffer<double>({vectors, information.product_size()}, kPurpose, kRemedy);
    px_ = Buffer<double>({vectors, information.product_size()}, kPurpose, kRemedy);
    s_ = Buffer<double>({batch, factors.link_size()}, kPurpose, kRemedy);
    mu_ = Buffer<double>({batch, factors.mean_size()}, kPurpose, kRemedy);
    g_ = Buffer<double>({batch, groups, triangle(factors.inner())}, kPurpose, kRemedy);
    h_ = Buffer<double>({batch, groups, triangle(factors.inner())}, kPurpose, kRemedy);
    u_ = Buffer<double>({groups, rank, factors.block()}, "the update U, R", kRemedy);
    r_ = Buffer<double>({groups, rank, factors.block()}, "the update U, R", kRemedy);
    panel_ = Buffer<double>({factors.panel_columns(options.criterion), factors.length()},
                            "the update U, R", kRemedy);
    rebuild_state();
}

void InformationObjective::rebuild_state() {
    update_pending_ = false;
    if (precision_ == Precision::float64) {
        search_share_ = search_share();
        lazy_.reset();
        single_.reset();
        if (!double_)
            double_ = std::make_unique<PoolState<double>>(
                context_, factors_, rows_, pool_kernels<double>(instruction_set_), options_);
        double_->reset(information_);
        return;
    }
    const SearchOptions& search = options_.search;
    const bool full = search.search == Search::full;
    if (!single_) {
        single_ = std::make_unique<PoolState<float>>(
            context_, factors_, rows_, pool_kernels<float>(instruction_set_), options_,
            full ? Layout::lanes : Layout::rows);
        if (!full)
            lazy_ = std::make_unique<LazySweep>(context_, *single_, information_, search);
    }
    if (!lazy_) single_->reset(information_);
}

double InformationObjective::resolution() const {
    return precision_ == Precision::float32
               ? static_cast<double>(std::numeric_limits<float>::epsilon())
               : std::numeric_limits<double>::epsilon();
}

void InformationObjective::calibrate(const std::vector<char>& taken) {
    if (lazy_) lazy_->restart(taken);
    const std::vector<char>& left_out = lazy_ ? lazy_->stateless() : taken;
    error_scale_ =
        single_ ? single_->largest_trace(left_out) : double_->largest_trace(left_out);
}

bool InformationObjective::worn(double best) const {
    return worn_by_rounding(options_.sign, resolution(), error_scale_, best);
}

void InformationObjective::settle() {
    information_.add_samples(*committed_pool_,
                             {committed_.data(), static_cast<int64_t>(committed_.size())},
                             options_.sign * options_.scale * options_.scale);
    committed_.clear();
}

void InformationObjective::refresh(int64_t step) {
    settle();
    information_.refresh(step);
    objective_ = information_.objective();
    rebuild_state();
}

bool InformationObjective::raise_precision(int64_t step) {
    if (precision_ == Precision::float64) return false;
    precision_ = Precision::float64;
    committed_.empty() ? rebuild_state() : refresh(step);
    return true;
}

void InformationObjective::apply_pending_update() {
    if (!update_pending_) return;
    if (lazy_)
        lazy_->update(panel_);
    else
        single_ ? single_->update(panel_) : double_->update(panel_);
    update_pending_ = false;
}

void InformationObjective::exact(const std::vector<int64_t>& candidates, double* scores) {
    const int64_t most = batch_size(), total = static_cast<int64_t>(candidates.size());
    for (int64_t begin = 0; begin < total; begin += most) {
        const int64_t size = std::min(most, total - begin);
        evaluate(candidates.data() + begin, size);
        for (int64_t k = 0; k < size; ++k)
            scores[begin + k] = batch_[static_cast<size_t>(k)].score;
    }
}

void InformationObjective::evaluate(const int64_t* candidates, int64_t size) {
    batch_.assign(static_cast<size_t>(size), {});
    for (int64_t k = 0; k < size; ++k) {
        batch_[static_cast<size_t>(k)].index = candidates[k];
        load(factors_, rows_[candidates[k]], k);
    }
    score_batch();
}

/// A sample's vectors and links to its place in the batch.
void InformationObjective::load(const Factors& pool, int64_t row, int64_t place) {
    const int64_t slots = pool.vectors.slots;
    for (int64_t slot = 0; slot < slots; ++slot)
        pool.load_vector(row, static_cast<int>(slot),
                         x_.data() + (place * slots + slot) * pool.length());
    pool.link_coefficients(row, s_.data() + place * pool.link_size(),
                           mu_.data() + place * pool.mean_size());
}

void InformationObjective::score_batch() {
    const auto size = static_cast<int64_t>(batch_.size());
    information_.products(x_.data(), static_cast<int>(size * factors_.vectors.slots),
                          qx_.data(), px_.data());
    for (int64_t k = 0; k < size; ++k) {
        double score = 0.0;
        for (int g = 0; g < factors_.groups; ++g) score += evaluate_group(k, g);
        batch_[static_cast<size_t>(k)].score = options_.sign * score;
    }
}

/// G, H and the score of one group of the candidate at `place` in the batch.
double InformationObjective::evaluate_group(int64_t place, int group) {
    const Factors& f = factors_;
    const int64_t d = f.length(), slots = f.vectors.slots, at = place * f.groups + group;
    const double* x = x_.data() + place * slots * d;
    const int64_t products = products_at(place, group);
    const double *s = s_.data() + at * f.group_links(),
                 *mu = mu_.data() + place * f.mean_size();
    std::vector<double> work(static_cast<size_t>(congruence_work(f)));
    const bool dense = f.kind == FactorKind::dense;
    const auto fill = [&](const Buffer<double>& images, double* S) {
        for (int a = 0; a < f.inner(); ++a)
            for (int b = 0; b <= a; ++b) {
                const int64_t right = products + b * f.block() + (dense ? 0 : a * d);
                S[triangle(a) + b] = dot(dense ? x + a * d : x, images.data() + right, d);
            }
        congruence_any_link<0>(f, options_.scale * options_.scale, s, mu, S, work.data());
    };
    double* G = g_.data() + at * triangle(f.inner());
    double* H = h_.data() + at * triangle(f.inner());
    fill(qx_, G);
    if (options_.criterion == Criterion::log_det)
        return log_det_score<0>(f.rank, options_.sign, G, work.data());
    fill(px_, H);
    return trace_score<0>(f.rank, options_.sign, G, H, work.data());
}

void InformationObjective::commit(int64_t candidate) {
    const auto scored = [&] {
        return std::find_if(batch_.begin(), batch_.end(),
                            [&](const Candidate& c) { return c.index == candidate; });
    };
    if (scored() == batch_.end()) evaluate(&candidate, 1);
    committed_.push_back(rows_[candidate]);
    if (lazy_) lazy_->take(candidate);
    commit_at(scored() - batch_.begin());
}

double InformationObjective::commit_sample(const Factors& pool, int64_t row) {
    batch_.assign(1, {});
    load(pool, row, 0);
    score_batch();
    const double score = batch_[0].score;
    committed_pool_ = &pool;
    committed_.push_back(row);
    commit_at(0);
    return score;
}

void InformationObjective::commit_at(int64_t place) {
    const double score = batch_[static_cast<size_t>(place)].score;
    for (int g = 0; g < factors_.groups; ++g) commit_group(place, g);
    information_.update(u_.data(), r_.data(), options_.sign);
    update_pending_ = true;
    // A gain lowers the trace, and raises the log-determinant.
    objective_ += options_.criterion == Criterion::trace ? -score : score;
    path_.push_back(objective_);
    batch_.clear();
}

/// U = Q V K^-T and, for the trace, R = P V K^-T -+ U S / 2 of one group; and their panel.
void InformationObjective::commit_group(int64_t place, int group) {
    const Factors& f = factors_;
    const bool trace = options_.criterion == Criterion::trace;
    const int r = f.rank, inner = f.inner(), side = static_cast<int>(f.block());
    const int64_t d = f.length(), block = f.block(), at = place * f.groups + group;
    const int64_t small = at * triangle(inner);
    const Step step =
        small_step(f, s_.data() + at * f.group_links(), mu_.data() + place * f.mean_size(),
                   g_.data() + small, trace ? h_.data() + small : nullptr, options_);
    const int64_t products = products_at(place, group);
    double *U = u_.data() + group * r * block, *R = r_.data() + group * r * block;
    parallel_for(context_, (block + kSlab - 1) / kSlab, [&](int64_t task, int) {
        const int64_t first = task * kSlab;
        const int rows = static_cast<int>(std::min(kSlab, block - first));
        const auto multiply = [&](int depth, double alpha, const double* left,
                                  const std::vector<double>& right, double beta, double* to) {
            context_.blas.gemm('N', 'N', rows, r, depth, alpha, left + first, side,
                               right.data(), depth, beta, to + first, side);
        };
        multiply(inner, 1.0, qx_.data() + products, step.E, 0.0, U);
        if (!trace) return;
        multiply(inner, 1.0, px_.data() + products, step.E, 0.0, R);
        multiply(r, -0.5 * options_.sign, U, step.S, 1.0, R);
    });
    const int64_t columns = update_columns(options_.criterion, r);
    for (int64_t a = 0; a < f.classes; ++a)
        for (int j = 0; j < r; ++j) {
            double* to = panel_.data() + ((group * f.classes + a) * columns + j) * d;
            std::copy_n(U + j * block + a * d, d, to);
            if (trace) std::copy_n(R + j * block + a * d, d, to + r * d);
        }
}

}  // namespace fisher_select::cpu
