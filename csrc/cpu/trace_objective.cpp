// SPDX-License-Identifier: Apache-2.0
// Exact scores and commits of the trace objective, float64; see trace_objective.h.
#include "trace_objective.h"

#include <algorithm>
#include <limits>

#include "error.h"
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

void congruence_any_link(const Factors& f, double scale, const double* s, const double* mu,
                         double* S, double* work) {
    switch (f.link) {
        case Link::identity:
            return congruence<0, Link::identity>(f.rank, scale, s, mu, S, work);
        case Link::diagonal:
            return congruence<0, Link::diagonal>(f.rank, scale, s, mu, S, work);
        case Link::softmax: return congruence<0, Link::softmax>(f.rank, scale, s, mu, S, work);
    }
}

/// Entry (b, j) of L [r, r] in the classes, or slots, that the engine keeps.
double link_entry(const Factors& f, const double* s, const double* mu, int b, int j) {
    const double unit = b == j ? 1.0 : 0.0;
    switch (f.link) {
        case Link::identity: return unit;
        case Link::diagonal: return unit * s[j];
        case Link::softmax: break;
    }
    return (unit - mu[b]) * s[j];
}

double packed(const double* symmetric, int i, int j) {
    return symmetric[i >= j ? triangle(i) + j : triangle(j) + i];
}

}  // namespace

TraceObjective::TraceObjective(const Context& context, const Factors& factors,
                               const RowList& rows, Information& information,
                               Direction direction, Precision precision,
                               const PoolOptions& options, const std::string& instruction_set)
    : context_(context),
      factors_(factors),
      rows_(rows),
      information_(information),
      options_(options),
      precision_(precision),
      instruction_set_(instruction_set),
      objective_(information.objective()) {
    options_.sign = direction == Direction::add ? 1.0 : -1.0;
    const int64_t batch = batch_size(), vectors = batch * factors.vectors.slots;
    const int64_t groups = factors.groups, rank = factors.rank;
    constexpr const char* kPurpose = "the leaders' products with Q and P";
    x_ = Buffer<double>({vectors, factors.length()}, kPurpose, kRemedy);
    qx_ = Buffer<double>({vectors, information.product_size()}, kPurpose, kRemedy);
    px_ = Buffer<double>({vectors, information.product_size()}, kPurpose, kRemedy);
    s_ = Buffer<double>({batch, groups, rank}, kPurpose, kRemedy);
    mu_ = Buffer<double>({batch, groups, rank}, kPurpose, kRemedy);
    g_ = Buffer<double>({batch, groups, triangle(factors.rank)}, kPurpose, kRemedy);
    h_ = Buffer<double>({batch, groups, triangle(factors.rank)}, kPurpose, kRemedy);
    u_ = Buffer<double>({groups, rank, factors.block()}, "the update U, R", kRemedy);
    r_ = Buffer<double>({groups, rank, factors.block()}, "the update U, R", kRemedy);
    panel_ = Buffer<double>({factors.columns(), factors.length()}, "the update U, R", kRemedy);
    rebuild_state();
}

void TraceObjective::rebuild_state() {
    update_pending_ = false;
    if (precision_ == Precision::float32) {
        if (!single_)
            single_ = std::make_unique<PoolState<float>>(
                context_, factors_, rows_, pool_kernels<float>(instruction_set_), options_);
        single_->reset(information_);
    } else {
        single_.reset();
        if (!double_)
            double_ = std::make_unique<PoolState<double>>(
                context_, factors_, rows_, pool_kernels<double>(instruction_set_), options_);
        double_->reset(information_);
    }
}

double TraceObjective::resolution() const {
    return precision_ == Precision::float32
               ? static_cast<double>(std::numeric_limits<float>::epsilon())
               : std::numeric_limits<double>::epsilon();
}

void TraceObjective::calibrate(const std::vector<char>& taken) {
    error_scale_ = single_ ? single_->largest_trace(taken) : double_->largest_trace(taken);
}

bool TraceObjective::worn(double best) const {
    if (options_.sign < 0) return false;  // removals add to H: nothing cancels
    // Updates subtract from entries as large as error_scale_, so scores carry errors of about
    // this size. In float32 the drift check sees the rest; float64 has nobody to check it.
    const double tolerance = precision_ == Precision::float32 ? 1e-1 : 1e-8;
    return 4 * resolution() * error_scale_ > tolerance * best;
}

void TraceObjective::settle() {
    information_.add_samples({committed_.data(), static_cast<int64_t>(committed_.size())},
                             options_.sign * options_.scale * options_.scale);
    committed_.clear();
}

void TraceObjective::refresh(int64_t step) {
    settle();
    information_.refresh(step);
    objective_ = information_.objective();
    rebuild_state();
}

bool TraceObjective::raise_precision(int64_t step) {
    if (precision_ == Precision::float64) return false;
    precision_ = Precision::float64;
    committed_.empty() ? rebuild_state() : refresh(step);
    return true;
}

void TraceObjective::apply_pending_update() {
    if (!update_pending_) return;
    single_ ? single_->update(panel_) : double_->update(panel_);
    update_pending_ = false;
}

void TraceObjective::exact(const std::vector<int64_t>& candidates, double* scores) {
    const int64_t most = batch_size(), total = static_cast<int64_t>(candidates.size());
    for (int64_t begin = 0; begin < total; begin += most) {
        const int64_t size = std::min(most, total - begin);
        evaluate(candidates.data() + begin, size);
        for (int64_t k = 0; k < size; ++k)
            scores[begin + k] = batch_[static_cast<size_t>(k)].score;
    }
}

void TraceObjective::evaluate(const int64_t* candidates, int64_t size) {
    const Factors& f = factors_;
    const int64_t slots = f.vectors.slots, width = int64_t{f.groups} * f.rank;
    batch_.assign(static_cast<size_t>(size), {});
    for (int64_t k = 0; k < size; ++k) {
        batch_[static_cast<size_t>(k)].index = candidates[k];
        const int64_t row = rows_[candidates[k]];
        for (int64_t slot = 0; slot < slots; ++slot)
            f.load_vector(row, static_cast<int>(slot),
                          x_.data() + (k * slots + slot) * f.length());
        f.link_coefficients(row, s_.data() + k * width, mu_.data() + k * width);
    }
    information_.products(x_.data(), static_cast<int>(size * slots), qx_.data(), px_.data());
    for (int64_t k = 0; k < size; ++k) {
        double score = 0.0;
        for (int g = 0; g < f.groups; ++g) score += evaluate_group(k, g);
        batch_[static_cast<size_t>(k)].score = options_.sign * score;
    }
}

/// G, H and tr(H (I + sign G)^-1) of one group of the candidate at `place` in the batch.
double TraceObjective::evaluate_group(int64_t place, int group) {
    const Factors& f = factors_;
    const int64_t d = f.length(), slots = f.vectors.slots, size = information_.product_size();
    const int64_t at = place * f.groups + group;
    const double* x = x_.data() + place * slots * d;
    const int64_t products = place * slots * size + group * f.block() * f.classes;
    double *G = g_.data() + at * triangle(f.rank), *H = h_.data() + at * triangle(f.rank);
    const bool dense = f.kind == FactorKind::dense;
    for (int a = 0; a < f.rank; ++a)
        for (int b = 0; b <= a; ++b) {
            const double* left = dense ? x + a * d : x;
            const int64_t right = products + b * f.block() + (dense ? 0 : a * d);
            G[triangle(a) + b] = dot(left, qx_.data() + right, d);
            H[triangle(a) + b] = dot(left, px_.data() + right, d);
        }
    std::vector<double> work(static_cast<size_t>(std::max(f.rank, triangle(f.rank))));
    const double *s = s_.data() + at * f.rank, *mu = mu_.data() + at * f.rank;
    const double scale = options_.scale * options_.scale;
    congruence_any_link(f, scale, s, mu, G, work.data());
    congruence_any_link(f, scale, s, mu, H, work.data());
    return trace_score<0>(f.rank, options_.sign, G, H, work.data());
}

void TraceObjective::commit(int64_t candidate) {
    const auto scored = [&] {
        return std::find_if(batch_.begin(), batch_.end(),
                            [&](const Candidate& c) { return c.index == candidate; });
    };
    if (scored() == batch_.end()) evaluate(&candidate, 1);
    const auto winner = scored();
    const int64_t place = winner - batch_.begin();

    const Factors& f = factors_;
    const int r = f.rank, side = static_cast<int>(f.block());
    const int64_t d = f.length(), block = f.block();
    std::vector<double> inverse(static_cast<size_t>(triangle(r))),
        E(static_cast<size_t>(r * r)), half(static_cast<size_t>(r * r)),
        S(static_cast<size_t>(r * r));
    for (int g = 0; g < f.groups; ++g) {
        const int64_t at = place * f.groups + g;
        const double *s = s_.data() + at * r, *mu = mu_.data() + at * r;
        const double *G = g_.data() + at * triangle(r), *H = h_.data() + at * triangle(r);
        // inverse = K^-1 with K K^T = A = I + sign G.
        for (int e = 0; e < triangle(r); ++e)
            inverse[static_cast<size_t>(e)] = options_.sign * G[e];
        for (int a = 0; a < r; ++a) inverse[static_cast<size_t>(triangle(a) + a)] += 1.0;
        inverse_cholesky<0>(r, inverse.data());
        const auto k_inverse = [&](int i, int j) {
            return inverse[static_cast<size_t>(triangle(i) + j)];
        };
        // E = scale L K^-T, so that U = Q V K^-T = QX E; S = K^-1 H K^-T.
        for (int j = 0; j < r; ++j)
            for (int b = 0; b < r; ++b) {
                double e = 0.0, h = 0.0;
                for (int k = 0; k <= j; ++k) {
                    e += link_entry(f, s, mu, b, k) * k_inverse(j, k);
                    h += packed(H, b, k) * k_inverse(j, k);
                }
                E[static_cast<size_t>(j * r + b)] = options_.scale * e;
                half[static_cast<size_t>(j * r + b)] = h;  // (H K^-T)_bj
            }
        for (int j = 0; j < r; ++j)
            for (int i = 0; i < r; ++i) {
                double sum = 0.0;
                for (int k = 0; k <= i; ++k)
                    sum += k_inverse(i, k) * half[static_cast<size_t>(j * r + k)];
                S[static_cast<size_t>(j * r + i)] = sum;
            }
        const int64_t products =
            place * f.vectors.slots * information_.product_size() + g * block * f.classes;
        double *U = u_.data() + g * r * block, *R = r_.data() + g * r * block;
        parallel_for(context_, (block + kSlab - 1) / kSlab, [&](int64_t task, int) {
            const int64_t first = task * kSlab;
            const int rows = static_cast<int>(std::min(kSlab, block - first));
            const auto multiply = [&](double alpha, const double* left, const double* right,
                                      double beta, double* to) {
                context_.blas.gemm('N', 'N', rows, r, r, alpha, left + first, side, right, r,
                                   beta, to + first, side);
            };
            multiply(1.0, qx_.data() + products, E.data(), 0.0, U);
            multiply(1.0, px_.data() + products, E.data(), 0.0, R);
            multiply(-0.5 * options_.sign, U, S.data(), 1.0, R);  // R = P V K^-T -+ U S / 2
        });
        for (int64_t a = 0; a < f.classes; ++a)
            for (int j = 0; j < r; ++j) {
                double* to = panel_.data() + ((g * f.classes + a) * 2 * r + j) * d;
                std::copy_n(U + j * block + a * d, d, to);
                std::copy_n(R + j * block + a * d, d, to + r * d);
            }
    }
    information_.update(u_.data(), r_.data(), options_.sign);
    update_pending_ = true;
    committed_.push_back(rows_[candidate]);
    objective_ -= winner->score;
    path_.push_back(objective_);
    batch_.clear();
}

}  // namespace fisher_select::cpu
