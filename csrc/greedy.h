// SPDX-License-Identifier: Apache-2.0
// The greedy driver: one for every objective and backend. It alone owns the mask, ties, drift
// and the stop reason; an objective only scores, commits and rebuilds itself.
//
// An objective screens all candidates in its working precision (higher is better) and scores a
// few exactly, in float64. A pick is the exact best of the leaders: those whose screened score
// may, within the drift seen, be the largest. Equal scores go to the lowest index.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "context.h"
#include "error.h"
#include "view.h"

namespace fisher_select {

struct GreedyOptions {
    const char* stage = "forward";
    int64_t count = 0;
    int64_t steps_before = 0;  // picks of earlier stages, for messages
    double rtol = 1e-3;        // drift of a screened score that calls for a refresh
};

struct GreedyResult {
    std::vector<int64_t> picks;  // candidate numbers in order
    std::vector<double> scores;  // exact, when picked
    int64_t refreshes = 0;
    double max_drift = 0.0;  // largest relative error of a screened leader
};

/// The driver's mask: 1 for rows that must not be picked.
inline std::vector<char> mask(int64_t n, const RowList& excluded) {
    std::vector<char> taken(static_cast<size_t>(n), 0);
    for (int64_t i = 0; i < excluded.count; ++i) taken[static_cast<size_t>(excluded[i])] = 1;
    return taken;
}

/// What an Objective offers:
///   int64_t count() const                          candidates
///   template visit_screened(f)                     f(const T* scores) after pending updates
///   void exact(const std::vector<int64_t>&, double* scores)
///   bool same(int64_t, int64_t) const              identical to the last bit
///   void commit(int64_t candidate)
///   void calibrate(taken)                          of a fresh state: note the scale of its
///   errors bool worn(double best) const                   rounding may have eaten a score this
///   small void refresh(int64_t step)                     rebuild from what does not drift bool
///   raise_precision(int64_t step)             false: there is no higher one double
///   resolution() const                      relative rounding error of a fresh screen
template <class Objective>
class Greedy {
public:
    /// `taken` [candidates] is 1 for those that must not be picked.
    Greedy(const Context& context, Objective& objective, std::vector<char> taken,
           const GreedyOptions& options)
        : context_(context),
          objective_(objective),
          options_(options),
          taken_(std::move(taken)) {
        internal_check(options_.count <= std::count(taken_.begin(), taken_.end(), 0),
                       "no more picks than free candidates");
    }

    GreedyResult run() {
        while (static_cast<int64_t>(result_.picks.size()) < options_.count) {
            context_.poll();
            context_.progress(options_.stage, static_cast<int64_t>(result_.picks.size()),
                              options_.count);
            const Leader winner = choose();
            taken_[static_cast<size_t>(winner.index)] = 1;
            result_.picks.push_back(winner.index);
            result_.scores.push_back(winner.exact);
            objective_.commit(winner.index);
            fresh_ = false;
        }
        context_.progress(options_.stage, options_.count, options_.count);
        return std::move(result_);
    }

private:
    static constexpr size_t kMostLeaders = 64;
    static constexpr int kRefreshesInARow = 3;  // picks, then the precision is raised

    struct Leader {
        int64_t index;
        double screened, exact;
    };

    int64_t step() const {
        return options_.steps_before + static_cast<int64_t>(result_.picks.size());
    }

    Leader choose() {
        for (;;) {
            if (fresh_) objective_.calibrate(taken_);
            Leader winner{};
            const bool sound = try_choose(winner);
            if (sound && !objective_.worn(winner.exact)) {
                if (!fresh_) refreshed_in_a_row_ = 0;
                return winner;
            }
            if (!fresh_ && refreshed_in_a_row_ < kRefreshesInARow) {
                objective_.refresh(step());
                ++refreshed_in_a_row_;
            } else if (objective_.raise_precision(step())) {
                refreshed_in_a_row_ = 0;
            } else if (sound) {
                return winner;  // as good as float64 can tell
            } else {
                throw NumericalError(std::string("scores of the ") + options_.stage +
                                         " stage are lost in rounding after " +
                                         std::to_string(step()) +
                                         " picks, and a refresh does not cure it: raise lam",
                                     step());
            }
            fresh_ = true;
            margin_ = 0.0;
            ++result_.refreshes;
        }
    }

    /// False where the screened scores cannot be trusted. The margin widens until it covers the
    /// drift of everybody inside it.
    bool try_choose(Leader& winner) {
        margin_ = std::max(margin_, 64 * objective_.resolution());
        for (;;) {
            if (!collect_leaders()) return false;
            std::vector<int64_t> indices;
            for (const Leader& leader : leaders_) indices.push_back(leader.index);
            std::vector<double> exact(indices.size());
            objective_.exact(indices, exact.data());
            double largest = 0.0;
            for (size_t l = 0; l < exact.size(); ++l) {
                if (!std::isfinite(exact[l])) return false;
                leaders_[l].exact = exact[l];
                largest = std::max(largest, std::abs(exact[l]));
            }
            double drift = 0.0;
            for (const Leader& leader : leaders_)
                if (leader.screened != leader.exact)
                    drift = std::max(drift, std::abs(leader.screened - leader.exact) / largest);
            result_.max_drift = std::max(result_.max_drift, drift);
            if (!(drift <= options_.rtol)) return false;
            if (2 * drift > margin_) {
                margin_ = 4 * drift;
                continue;
            }
            winner = leaders_.front();  // in index order, so the first of equals stays
            for (const Leader& leader : leaders_)
                if (leader.exact > winner.exact) winner = leader;
            return true;
        }
    }

    /// Free candidates within the margin of the best screened score, identical ones once, in
    /// index order; the best kMostLeaders of them.
    bool collect_leaders() {
        bool sound = true;
        leaders_.clear();
        objective_.visit_screened([&](const auto* scores) {
            const int64_t n = objective_.count();
            auto best = -std::numeric_limits<double>::infinity();
            for (int64_t i = 0; i < n; ++i) {
                if (taken_[static_cast<size_t>(i)]) continue;
                const double score = static_cast<double>(scores[i]);
                if (!std::isfinite(score)) sound = false;
                best = std::max(best, score);
            }
            if (!sound) return;
            const double bar = best - margin_ * std::abs(best);
            for (int64_t i = 0; i < n; ++i)
                if (static_cast<double>(scores[i]) >= bar && !taken_[static_cast<size_t>(i)])
                    admit({i, static_cast<double>(scores[i]), 0.0});
        });
        return sound;
    }

    void admit(const Leader& candidate) {
        for (const Leader& leader : leaders_)
            if (objective_.same(leader.index, candidate.index)) return;
        leaders_.push_back(candidate);
        if (leaders_.size() <= kMostLeaders) return;
        auto lowest = leaders_.begin();
        for (auto leader = leaders_.begin(); leader != leaders_.end(); ++leader)
            if (leader->screened <= lowest->screened) lowest = leader;
        leaders_.erase(lowest);
    }

    const Context& context_;
    Objective& objective_;
    GreedyOptions options_;
    std::vector<char> taken_;
    std::vector<Leader> leaders_;
    GreedyResult result_;
    double margin_ = 0.0;
    bool fresh_ = true;  // no commit since the objective was built or rebuilt
    int refreshed_in_a_row_ = 0;
};

}  // namespace fisher_select
