// SPDX-License-Identifier: Apache-2.0
// k-centre greedy and BADGE (ops.h). Both look for a largest value that only falls as centres
// are added, so both leave almost every row alone (lazy_maximum.h).
#include "distance.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "distance_picks.h"
#include "lazy_maximum.h"
#include "ops.h"

namespace fisher_select::cpu {
namespace {

constexpr const char* kPurpose = "the pool's keys";
constexpr const char* kRemedy = "select from a part of the pool";

/// `value` for free rows, kExcluded for labelled ones.
Buffer<double> keys_of_free_rows(const DistanceProblem& problem, double value) {
    Buffer<double> keys({problem.features.rows}, kPurpose, kRemedy);
    std::fill_n(keys.data(), keys.size(), value);
    for (int64_t i = 0; i < problem.labeled.count; ++i) keys[problem.labeled[i]] = kExcluded;
    return keys;
}

/// Picks the row with the largest key until there are enough. `evaluate` is what LazyMaximum
/// takes; score(row) is reported of a row whose key is its value; picked(key) is told of each.
template <class Evaluate, class Score, class Picked>
void pick_largest(DistancePicks& picks, LazyMaximum& keys, const Evaluate& evaluate,
                  const Score& score, const Picked& picked) {
    const auto fresh = [&](int64_t row) { return picks.nearest.fresh(row); };
    while (!picks.complete()) {
        Proposal own;
        if (const auto row = picks.replayed()) {
            own.row = picks.local(*row);
            if (own.row >= 0) own.score = evaluate(own.row, kExcluded, 0);
        } else if (picks.any_free()) {
            own.row = keys.find(evaluate, fresh, picks.heavy());
            own.score = keys.key(own.row);
        }
        const Proposal pick = picks.pick(own, own.row >= 0 ? score(own.row) : 0.0);
        if (pick.row >= 0) keys.remove(pick.row);
        picked(pick.score);
    }
}

}  // namespace

DistanceResult k_center(const Context& context, const DistanceProblem& problem) {
    DistancePicks picks(context, problem);
    Buffer<double> keys = keys_of_free_rows(problem, kInfinity);
    const bool met = picks.meet_labeled(keys);
    LazyMaximum squares(context, std::move(keys));

    const auto evaluate = [&](int64_t row, double enough, int thread) {
        picks.distances(thread) += picks.nearest.refresh_nearest_first(row, enough);
        return picks.nearest.square(row);
    };
    const auto fresh = [&](int64_t row) { return picks.nearest.fresh(row); };
    if (problem.labeled_count() == 0) {
        Proposal first;
        first.row = picks.local(problem.first);
        if (first.row >= 0) first.score = kInfinity;  // the distance to the nearest of none
        first = picks.pick(first, kInfinity);
        if (first.row >= 0) squares.remove(first.row);
    }
    if (!met && !picks.complete()) squares.sweep(evaluate, fresh);
    picks.lap("centers");
    const auto radius = [&](int64_t row) { return std::sqrt(picks.nearest.square(row)); };
    pick_largest(picks, squares, evaluate, radius, [](double) {});
    return picks.finish();
}

namespace {

/// The race of BADGE (../distance.h). A row that has missed some centres can wait until its old
/// ring is the next: a ring foretold from an old rate is never late.
class Clocks {
public:
    /// Of rows [first, first + rows) of the pool.
    Clocks(int64_t first, int64_t rows, uint64_t seed) : clocks_({rows}, kPurpose, kRemedy) {
        for (int64_t i = 0; i < rows; ++i) clocks_[i] = start_clock(seed, first + i);
    }

    /// The rate changed when `center` was added; before the first one nothing ran.
    void change_rate(int64_t row, int64_t center, double before) {
        fisher_select::change_rate(clocks_[row], before, added_[static_cast<size_t>(center)]);
    }

    double key(int64_t row, double rate) const { return ring_key(clocks_[row], rate); }

    /// A centre was added when a clock of this key rang.
    void add_center(double key) {
        if (key != kNeverRings) now_ = -key;
        added_.push_back(now_);
    }

private:
    Buffer<Clock> clocks_;       // [n]
    std::vector<double> added_;  // [centers] when
    double now_ = 0.0;
};

/// The free row with the largest gradient, and its squared norm.
Proposal largest_gradient(const Embedding& points, const Buffer<double>& keys) {
    Proposal best;
    for (int64_t i = 0; i < points.rows(); ++i)
        if (keys[i] != kExcluded && (best.row < 0 || points.squared_norm(i) > best.score))
            best = {points.squared_norm(i), i};
    return best;
}

}  // namespace

DistanceResult badge(const Context& context, const DistanceProblem& problem) {
    DistancePicks picks(context, problem);
    Buffer<double> keys = keys_of_free_rows(problem, 0.0);
    Clocks clocks(picks.global(0), picks.points.rows(), problem.seed);
    const Proposal first = picks.pick(largest_gradient(picks.points, keys), kInfinity);
    if (first.row >= 0) keys[first.row] = kExcluded;
    clocks.add_center(0.0);
    // Before a row has met the first centre: no distance is longer than the two norms.
    const double norm = std::sqrt(first.score);
    for (int64_t i = 0; i < picks.points.rows(); ++i) {
        const double reach = norm + std::sqrt(picks.points.squared_norm(i));
        if (keys[i] != kExcluded) keys[i] = clocks.key(i, 1.000001 * reach * reach);
    }
    LazyMaximum rings(context, std::move(keys));

    const auto evaluate = [&](int64_t row, double enough, int thread) {
        picks.distances(thread) +=
            picks.nearest.refresh(row, [&](int64_t center, double before, double now) {
                clocks.change_rate(row, center, before);
                return clocks.key(row, now) < enough;
            });
        return clocks.key(row, picks.nearest.square(row));
    };
    picks.lap("centers");
    const auto distance = [&](int64_t row) { return std::sqrt(picks.nearest.square(row)); };
    pick_largest(picks, rings, evaluate, distance, [&](double key) { clocks.add_center(key); });
    return picks.finish();
}

}  // namespace fisher_select::cpu
