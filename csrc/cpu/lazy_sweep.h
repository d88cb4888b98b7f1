// SPDX-License-Identifier: Apache-2.0
// A pool where most candidates wait (DESIGN section 3). What one may gain now is bounded by
// what it gained when it was last looked at, since gains fall; and a look is cheap, since a
// screen in a subspace (subspace_screen.h) tells nearly what a candidate gains at any time
// without the commits it has missed. So those that may reach the best of today are screened
// first, and those that still may are scored from Q and P as a reset does; they have a state
// from then on, which takes up the commits it owes when they may win again. Most candidates
// never get that far: the full search's reset of everybody, which costs dozens of sweeps, is
// saved as well.
//
// How far the gains have fallen since each pick, and what a screen may miss, is measured on a
// random sample that is kept up to date both ways: the most that is left of a screened (or an
// exact) gain of those that are still in the race. A slack covers what the sample may have
// missed. The picks are therefore those of a full search but for rare exceptions, which cost
// little.
//
// Where all this has cost what the full search would have by then, the sweep becomes full.
//
// Stochastic greedy is the same among a random part of the candidates, drawn anew for each
// pick: only those drawn may raise the bar, or have to reach it.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "context.h"
#include "draws.h"
#include "gain_fall.h"
#include "information.h"
#include "owed_commits.h"
#include "pool_state.h"
#include "quadratic_forms.h"
#include "search.h"
#include "subspace_screen.h"

namespace fisher_select::cpu {

class LazySweep {
public:
    /// The pool needs no reset, and lies in Layout::rows. Beyond its own memory: a panel and
    /// twice the sample's gains for each pick, a quarter of Q's and P's size, and 4 q + 14
    /// bytes a candidate.
    LazySweep(const Context& context, PoolState<float>& pool, const Information& information,
              const SearchOptions& options);

    /// Q and P are fresh; `taken` [candidates] is 1 for those that must not be picked.
    void restart(const std::vector<char>& taken);

    /// A candidate was picked.
    void take(int64_t candidate);

    /// A commit, U | R as PoolState::update has it.
    void update(const Buffer<double>& panel);

    /// Candidates whose scores in the pool are those of today, in order; the best is one of
    /// them.
    RowList looked_at() const {
        return full_sweep_ && draws_.all()
                   ? RowList{nullptr, count_}
                   : RowList{current_.data(), static_cast<int64_t>(current_.size())};
    }

    /// 1 for candidates that were taken, or have no state.
    const std::vector<char>& stateless() const { return stateless_; }

    /// Multiplications over candidates, of those that a full search makes.
    double share() const { return made_ / full_; }

private:
    using Ranked = std::pair<float, int64_t>;  // what may be gained, by whom

    void draw();
    void look();
    void look_at_all();
    void measure_fall();
    float visit_leaders();
    std::vector<int64_t> screen(const std::vector<int64_t>& candidates, float bar);
    std::vector<float> screened(const std::vector<int64_t>& candidates, int64_t q);
    std::vector<Ranked> rank(const std::vector<int64_t>& candidates);
    void score(const std::vector<int64_t>& candidates);
    void see(int64_t candidate, float gain, bool exactly);
    void sweep_fully();
    std::vector<int64_t> contenders(float bar) const;
    bool has_state(int64_t candidate) const {
        return owed_.age(candidate) != OwedCommits::kStateless;
    }
    bool free(int64_t candidate) const { return !taken_[static_cast<size_t>(candidate)]; }
    /// Whether today's pick may be this one.
    bool open(int64_t candidate) const { return free(candidate) && draws_.drawn(candidate); }
    template <class Keep>
    std::vector<int64_t> those(const Keep& keep) const;
    /// What a candidate's gain may be now.
    float bound(int64_t candidate) const;

    const Context& context_;
    PoolState<float>& pool_;
    const Information& information_;
    int64_t count_, free_count_ = 0;
    Draws draws_;
    SubspaceScreen screen_;
    int64_t coarse_;          // directions of the first screen
    float fine_left_ = 0.0F;  // of what the finest one says, at the most
    PackedBlocks<float> packed_;
    int64_t packed_age_ = -1;  // commits that packed_ has taken up
    OwedCommits owed_;
    GainFall fall_;
    std::vector<GainFall::Look> looks_;  // the last one at each candidate
    std::vector<char> taken_, stateless_;
    std::vector<int64_t> sample_;
    float best_of_sample_ = 0.0F;
    std::vector<int64_t> exact_, current_;  // with a state; of these, open and up to date
    bool full_sweep_ = false;
    double made_ = 0.0, full_ = 0.0;  // multiplications over candidates
};

}  // namespace fisher_select::cpu
