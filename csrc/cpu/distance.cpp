// SPDX-License-Identifier: Apache-2.0
// k-centre greedy and BADGE (ops.h). Both look for a largest value that only falls as centres
// are added, so both leave almost every row alone (lazy_maximum.h).
#include <cmath>
#include <utility>

#include "distance.h"
#include "labeled_distance.h"
#include "lazy_maximum.h"
#include "nearest_center.h"
#include "ops.h"
#include "stopwatch.h"

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

/// Counters of one thread, a cache line apart from the next one's.
struct alignas(64) Counter {
    int64_t distances = 0;
};

/// The points, their nearest centres, and the selection so far.
class Picks {
    const Context& context_;
    const DistanceProblem& problem_;
    DistanceResult result_;
    Stopwatch watch_;
    std::vector<Counter> counters_;
    int64_t counted_ = 0;

public:
    Embedding points;
    NearestCenter nearest;

    Picks(const Context& context, const DistanceProblem& problem)
        : context_(context),
          problem_(problem),
          watch_(result_.seconds),
          counters_(static_cast<size_t>(context.threads)),
          points(context, problem.features, problem.probabilities, problem.chunk_rows,
                 problem.instruction_set),
          nearest(points) {
        lap("prepare");
    }

    /// Where a thread counts its distances.
    int64_t& distances(int thread) { return counters_[static_cast<size_t>(thread)].distances; }

    /// Whether the last pick computed so much that the next should share it between threads:
    /// by work, not by time, which a busy machine would stretch.
    bool heavy() {
        constexpr int64_t kEnough = 1 << 22;  // values read: a millisecond or so
        const int64_t before = std::exchange(counted_, all_distances());
        return context_.threads > 1 && (counted_ - before) * problem_.features.length > kEnough;
    }

    bool complete() const {
        return static_cast<int64_t>(result_.indices.size()) == problem_.batch_size;
    }

    /// A pick is a centre from then on.
    void pick(int64_t row, double score) {
        result_.indices.push_back(row);
        result_.scores.push_back(score);
        nearest.add(row);
        context_.progress("pick", static_cast<int64_t>(result_.indices.size()),
                          problem_.batch_size);
    }

    /// Makes the labelled rows centres. Where that pays, lets the free rows meet them at once:
    /// lowers their keys to their squared distances, and returns true.
    bool meet_labeled(Buffer<double>& keys) {
        std::vector<int64_t> free;
        for (int64_t i = 0; i < problem_.labeled.count; ++i) nearest.add(problem_.labeled[i]);
        for (int64_t i = 0; i < keys.size(); ++i)
            if (keys[i] != kExcluded) free.push_back(i);
        const LabeledStage stage = cpu::meet_labeled(context_, points, nearest, free,
                                                     problem_.batch_size, problem_.chunk_rows);
        distances(0) += stage.pairs.full;
        result_.screened_distances = stage.pairs.screened;
        if (stage.by_products)
            for (int64_t row : free) keys[row] = nearest.square(row);
        return stage.by_products;
    }

    void lap(const char* stage) { watch_.lap(stage); }

    DistanceResult finish() {
        lap("pick");
        result_.full_distances = all_distances();
        result_.centers = nearest.centers();
        return std::move(result_);
    }

private:
    int64_t all_distances() const {
        int64_t sum = 0;
        for (const Counter& counter : counters_) sum += counter.distances;
        return sum;
    }
};

}  // namespace

DistanceResult k_center(const Context& context, const DistanceProblem& problem) {
    Picks picks(context, problem);
    Buffer<double> keys = keys_of_free_rows(problem, kInfinity);
    const bool met = picks.meet_labeled(keys);
    LazyMaximum squares(context, std::move(keys));

    const auto evaluate = [&](int64_t row, double enough, int thread) {
        picks.distances(thread) += picks.nearest.refresh_nearest_first(row, enough);
        return picks.nearest.square(row);
    };
    const auto fresh = [&](int64_t row) { return picks.nearest.fresh(row); };
    if (problem.labeled.count == 0) {
        squares.remove(problem.first);
        picks.pick(problem.first, kInfinity);  // the distance to the nearest of no centres
    }
    if (!met && !picks.complete()) squares.sweep(evaluate, fresh);
    picks.lap("centers");
    while (!picks.complete()) {
        const int64_t row = squares.find(evaluate, fresh, picks.heavy());
        const double radius = std::sqrt(squares.key(row));
        squares.remove(row);
        picks.pick(row, radius);
    }
    return picks.finish();
}

namespace {

/// The race of BADGE (../distance.h). A row that has missed some centres can wait until its old
/// ring is the next: a ring foretold from an old rate is never late.
class Clocks {
public:
    Clocks(int64_t rows, uint64_t seed) : clocks_({rows}, kPurpose, kRemedy) {
        for (int64_t i = 0; i < rows; ++i) clocks_[i] = start_clock(seed, i);
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

int64_t largest_norm(const Embedding& points, const Buffer<double>& keys) {
    int64_t best = -1;
    for (int64_t i = 0; i < points.rows(); ++i)
        if (keys[i] != kExcluded &&
            (best < 0 || points.squared_norm(i) > points.squared_norm(best)))
            best = i;
    return best;
}

}  // namespace

DistanceResult badge(const Context& context, const DistanceProblem& problem) {
    Picks picks(context, problem);
    Buffer<double> keys = keys_of_free_rows(problem, 0.0);
    Clocks clocks(picks.points.rows(), problem.seed);
    const int64_t first = largest_norm(picks.points, keys);
    const double norm = std::sqrt(picks.points.squared_norm(first));
    // Before a row has met the first centre: no distance is longer than the two norms.
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
    const auto fresh = [&](int64_t row) { return picks.nearest.fresh(row); };
    rings.remove(first);
    clocks.add_center(0.0);
    picks.pick(first, kInfinity);
    picks.lap("centers");
    while (!picks.complete()) {
        const int64_t row = rings.find(evaluate, fresh, picks.heavy());
        clocks.add_center(rings.key(row));
        rings.remove(row);
        picks.pick(row, std::sqrt(picks.nearest.square(row)));
    }
    return picks.finish();
}

}  // namespace fisher_select::cpu
