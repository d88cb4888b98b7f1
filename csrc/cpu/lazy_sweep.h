// SPDX-License-Identifier: Apache-2.0
// A pool where most candidates wait (DESIGN section 3). Every candidate has the gain of its
// last visit, some commits ago, and gains fall: what a candidate may have now is that stale
// gain times the largest part that is left, since then, of any gain of a random sample, which
// is kept up to date. Only those that may reach the best of today are visited. They take up the
// commits they owe, oldest first, and go back to waiting as soon as they are out of the race.
//
// What is left of the sample's is not the most that is left of any: a slack covers what it may
// have missed. The picks are therefore those of a full search but for rare exceptions, which
// cost little.
//
// A stochastic search looks at a random part of the candidates alone, drawn anew at each pick.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "buffer.h"
#include "context.h"
#include "pool_state.h"
#include "pool_visitor.h"
#include "search.h"

namespace fisher_select::cpu {

class LazySweep {
public:
    /// Candidates of `pool`, `count` of them. Beyond the pool's own: a panel [columns, length]
    /// and the gains of the sample (some thousand floats at most) for each pick, and 10 bytes a
    /// candidate.
    LazySweep(const Context& context, PoolState<float>& pool, int64_t count,
              const SearchOptions& options);

    /// The pool is fresh; `taken` [count] is 1 for those that must not be picked.
    void restart(const std::vector<char>& taken);

    /// A candidate was picked.
    void take(int64_t candidate);

    /// A commit, U | R as PoolState::update has it.
    void update(const Buffer<double>& panel);

    /// The scores of all candidates that may have the largest; the lowest float for the others.
    const float* scores() const { return shown_.data(); }

    /// Of the updates that a full search makes, those made.
    double share() const;

private:
    struct Worker {  // of a thread
        explicit Worker(PoolState<float>& pool) : visitor(pool) {}

        PoolVisitor visitor;
        std::vector<std::vector<int64_t>> due;  // candidates to be visited, by their age
        int64_t visited = 0;                    // commits made, over all candidates
    };

    void draw();
    void look();
    void measure_fall();
    float best_of_leaders();
    void visit(const std::vector<int64_t>& candidates);
    void visit_due(float bar, Worker& worker);
    Worker& worker(int thread);
    bool waits(int64_t candidate) const {
        return age_[static_cast<size_t>(candidate)] < commits_;
    }
    /// What a candidate's gain may be now.
    float bound(int64_t candidate) const {
        return pool_.scores()[candidate] *
               left_[static_cast<size_t>(age_[static_cast<size_t>(candidate)])];
    }

    const Context& context_;
    PoolState<float>& pool_;
    int64_t count_;
    SearchOptions options_;
    Buffer<float> panels_;             // [commits, panel]
    int64_t commits_ = 0;              // since the pool was fresh
    int64_t picks_ = 0;                // of the stage
    std::vector<int32_t> age_;         // commits that a candidate has taken up
    std::vector<char> taken_, drawn_;  // drawn_: looked at in this pick
    std::vector<float> shown_;
    std::vector<int64_t> sample_;
    std::vector<std::vector<float>> sample_gains_;  // after each commit
    std::vector<float> left_;  // of a gain, from each age to now: the most, with the slack
    std::vector<std::unique_ptr<Worker>> workers_;
    int64_t owed_ = 0;  // commits that a full search makes, over all candidates
};

}  // namespace fisher_select::cpu
