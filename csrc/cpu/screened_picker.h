// SPDX-License-Identifier: Apache-2.0
// A picker of the greedy driver for objectives whose scores lie on the host, one pick at a
// time.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "error.h"
#include "greedy.h"
#include "view.h"

namespace fisher_select::cpu {

/// What an Objective offers:
///   int64_t count() const                          candidates
///   template visit_screened(f)                     f(const T* scores, RowList whose), after
///                                                  pending updates
///   void exact(const std::vector<int64_t>&, double* scores)
///   bool same(int64_t, int64_t) const              identical to the last bit
///   void commit(int64_t candidate)
///   void calibrate(taken)                          of a fresh state: note the scale of errors
///   bool worn(double best) const                   rounding may have eaten a score this small
///   void refresh(int64_t step), bool raise_precision(int64_t step)
///   double resolution() const                      relative rounding error of a fresh screen
template <class Objective>
class ScreenedPicker {
public:
    /// `taken` [candidates] is 1 for those that must not be picked.
    ScreenedPicker(Objective& objective, std::vector<char> taken, double rtol)
        : objective_(objective), taken_(std::move(taken)), rtol_(rtol) {}

    Advance advance(int64_t, bool even_if_worn) {
        Leader winner{};
        if (!choose(winner)) return {{}, {}, Doubt::unsound};
        if (objective_.worn(winner.exact) && !even_if_worn) return {{}, {}, Doubt::worn};
        take(winner.index);
        objective_.commit(winner.index);
        return {{winner.index}, {winner.exact}, Doubt::none};
    }

    /// The best free candidate, of which there must be one; false where the screened scores
    /// cannot be trusted.
    bool choose(Leader& winner) {
        if (fresh_) objective_.calibrate(taken_);
        fresh_ = false;
        margin_ = std::max(margin_, first_margin(objective_.resolution()));
        for (;;) {
            if (!collect_leaders()) return false;
            std::vector<int64_t> indices;
            for (int l = 0; l < leaders_.count; ++l) indices.push_back(leaders_.item[l].index);
            std::vector<double> exact(indices.size());
            objective_.exact(indices, exact.data());
            for (int l = 0; l < leaders_.count; ++l)
                leaders_.item[l].exact = exact[static_cast<size_t>(l)];
            const Verdict verdict = judge(leaders_, rtol_, margin_, max_drift_, winner);
            if (verdict != Verdict::widen) return verdict == Verdict::sound;
        }
    }

    /// Leaves a candidate out from now on.
    void take(int64_t candidate) { taken_[static_cast<size_t>(candidate)] = 1; }

    void refresh(int64_t step) {
        objective_.refresh(step);
        rebuilt();
    }

    bool raise_precision(int64_t step) {
        if (!objective_.raise_precision(step)) return false;
        rebuilt();
        return true;
    }

    double max_drift() const { return max_drift_; }

private:
    void rebuilt() {
        fresh_ = true;
        margin_ = 0.0;
    }

    /// Free candidates within the margin of the best screened score; false where a score is not
    /// finite.
    bool collect_leaders() {
        bool sound = true;
        leaders_.count = 0;
        objective_.visit_screened([&](const auto* scores, const RowList& whose) {
            auto best = -std::numeric_limits<double>::infinity();
            for (int64_t k = 0; k < whose.count; ++k) {
                const int64_t i = whose[k];
                if (taken_[static_cast<size_t>(i)]) continue;
                const double score = static_cast<double>(scores[i]);
                if (!std::isfinite(score)) sound = false;
                best = std::max(best, score);
            }
            if (!sound) return;
            const double bar = best - margin_ * std::abs(best);
            for (int64_t k = 0; k < whose.count; ++k) {
                const int64_t i = whose[k];
                if (static_cast<double>(scores[i]) >= bar && !taken_[static_cast<size_t>(i)])
                    leaders_.admit({i, static_cast<double>(scores[i]), 0.0},
                                   [&](int64_t a, int64_t b) { return objective_.same(a, b); });
            }
        });
        return sound;
    }

    Objective& objective_;
    std::vector<char> taken_;
    double rtol_, margin_ = 0.0, max_drift_ = 0.0;
    Leaders leaders_;
    bool fresh_ = true;  // no pick since the objective was built or rebuilt
};

/// Greedy picks of an objective on the host.
template <class Objective>
GreedyResult pick_greedily(const Context& context, Objective& objective,
                           std::vector<char> taken, const GreedyOptions& options) {
    internal_check(options.count <= std::count(taken.begin(), taken.end(), 0),
                   "no more picks than free candidates");
    ScreenedPicker<Objective> picker(objective, std::move(taken), options.rtol);
    return Greedy<ScreenedPicker<Objective>>(context, picker, options).run();
}

}  // namespace fisher_select::cpu
