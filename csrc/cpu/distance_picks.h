// SPDX-License-Identifier: Apache-2.0
// The selection under way of k-centre greedy and BADGE: points, their nearest centres and the
// picks, which of a sharded pool are agreed on by the ranks.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "buffer.h"
#include "context.h"
#include "dispatch.h"
#include "embedding.h"
#include "labeled_distance.h"
#include "lazy_maximum.h"
#include "nearest_center.h"
#include "ops.h"
#include "proposals.h"
#include "stopwatch.h"
#include "visiting_points.h"

namespace fisher_select::cpu {

/// The points, their nearest centres, and the selection so far.
class DistancePicks {
    /// Distances counted by one thread, a cache line apart from the next one's.
    struct alignas(64) Counter {
        int64_t distances = 0;
    };

    /// The other ranks of a sharded pool.
    struct Others {
        Others(const Shard& shard, const ExactDistance& exact)
            : proposals(shard), visitors(exact, shard.collective) {}
        Proposals proposals;
        VisitingPoints visitors;
    };

    const Context& context_;
    const DistanceProblem& problem_;
    const Shard* shard_;
    DistanceResult result_;
    Stopwatch watch_;
    std::vector<Counter> counters_;
    int64_t counted_ = 0;
    int64_t free_;  // rows of this rank

public:
    Embedding points;
    NearestCenter nearest;

    DistancePicks(const Context& context, const DistanceProblem& problem)
        : context_(context),
          problem_(problem),
          shard_(problem.shard),
          watch_(result_.seconds),
          counters_(static_cast<size_t>(context.threads)),
          free_(problem.features.rows - problem.labeled.count),
          points(context, problem.features, problem.probabilities, problem.chunk_rows,
                 instruction_set(problem), shard_ ? &shard_->collective : nullptr),
          nearest(points) {
        if (shard_) others_.emplace(*shard_, points.exact());
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

    bool complete() const { return count() == problem_.batch_size; }
    bool any_free() const { return free_ > 0; }

    /// `row` of the whole pool, counted from this rank's first; -1 where another rank has it.
    int64_t local(int64_t row) const {
        if (!shard_) return row;
        return others_->proposals.here(row) ? others_->proposals.local(row) : -1;
    }
    /// A row of this rank, counted through the whole pool.
    int64_t global(int64_t row) const { return shard_ ? shard_->first + row : row; }

    /// The next pick of a broken run that is resumed, a row of the whole pool.
    std::optional<int64_t> replayed() const {
        if (!shard_ || count() >= static_cast<int64_t>(shard_->replay.size())) return {};
        return shard_->replay[static_cast<size_t>(count())];
    }

    /// Picks the best of what the ranks propose and makes it a centre. `best` is this rank's,
    /// its row counted from the first here, -1: none; `score` is what it would report.
    /// Returns the pick, likewise.
    Proposal pick(Proposal best, double score) {
        int64_t row = best.row;
        if (shard_) {
            if (best.row >= 0) best.row = global(best.row);
            best = others_->proposals.best(best);
            row = std::exchange(best.row, local(best.row));
            score = others_->visitors.share(others_->proposals.owner(row), {&best.row, 1},
                                            score, [&](const Point& p) { add_center(p); });
            shard_->picked(row, score);
        } else {
            nearest.add(row);
        }
        if (best.row >= 0) --free_;
        result_.indices.push_back(row);
        result_.scores.push_back(score);
        context_.progress("pick", count(), problem_.batch_size);
        return best;
    }

    /// Makes the labelled rows of all ranks centres. Where that pays, lets the free rows meet
    /// them at once: lowers their keys to their squared distances, and returns true.
    bool meet_labeled(Buffer<double>& keys) {
        if (shard_)
            others_->visitors.share_all(problem_.labeled,
                                        [&](const Point& p) { add_center(p); });
        else
            for (int64_t i = 0; i < problem_.labeled.count; ++i)
                nearest.add(problem_.labeled[i]);
        std::vector<int64_t> free;
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
        double counts[2] = {static_cast<double>(all_distances()),
                            static_cast<double>(result_.screened_distances)};
        if (shard_) shard_->collective.sum(counts, 2);
        result_.full_distances = static_cast<int64_t>(counts[0]);
        result_.screened_distances = static_cast<int64_t>(counts[1]);
        result_.centers = nearest.centers();
        return std::move(result_);
    }

private:
    int64_t count() const { return static_cast<int64_t>(result_.indices.size()); }

    int64_t all_distances() const {
        int64_t sum = 0;
        for (const Counter& counter : counters_) sum += counter.distances;
        return sum;
    }

    void add_center(const Point& point) {
        float summary[kGradientFields];
        points.summarise(point, summary);
        nearest.add(point, summary);
    }

    /// One that all ranks have: the last bits of a distance differ from set to set.
    static std::string instruction_set(const DistanceProblem& problem) {
        if (!problem.shard || problem.instruction_set != "auto") return problem.instruction_set;
        const Collective& collective = problem.shard->collective;
        const double own = supported_sets();
        std::vector<double> all(static_cast<size_t>(collective.ranks));
        collective.gather(&own, 1, all.data());
        return set_name(static_cast<int>(*std::min_element(all.begin(), all.end())) - 1);
    }

    std::optional<Others> others_;
};

}  // namespace fisher_select::cpu
