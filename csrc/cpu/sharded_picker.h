// SPDX-License-Identifier: Apache-2.0
// A picker of the greedy driver for a pool that several processes share. Each rank proposes
// the best of its own rows, exactly scored; what is decided - the pick, a doubt - is decided
// from what all have heard, so the ranks cannot part ways even if their last bits differ.
//
// A pick exchanges (score, row) of every rank, 16 bytes each, and the winner's x and p.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "greedy.h"
#include "picked_samples.h"
#include "proposals.h"
#include "screened_picker.h"
#include "shard.h"

namespace fisher_select::cpu {

/// Beyond what ScreenedPicker wants, an Objective offers:
///   double commit_sample(const Factors&, int64_t row)   a sample of another pool; its score
///   double error_scale() const, void set_error_scale(double)
template <class Objective>
class ShardedPicker {
public:
    /// Candidates are all rows of the shard; `taken` is 1 for those that must not be picked.
    /// `picked` takes up what is picked.
    ShardedPicker(Objective& objective, std::vector<char> taken, double rtol,
                  const Shard& shard, PickedSamples& picked)
        : objective_(objective),
          shard_(shard),
          collective_(shard.collective),
          picked_(picked),
          free_(std::count(taken.begin(), taken.end(), 0)),
          local_(objective, std::move(taken), rtol),
          proposals_(shard) {}

    Advance advance(int64_t, bool even_if_worn) {
        if (picked_.count() == 0 && !shard_.replay.empty()) return replay();
        Proposal best = proposals_.best(propose());
        if (std::isnan(best.score)) return {{}, {}, Doubt::unsound};
        if (objective_.worn(best.score) && !even_if_worn) return {{}, {}, Doubt::worn};
        adopt(best);
        objective_.commit_sample(picked_.factors(), picked_.count() - 1);
        shard_.picked(best.row, best.score);
        return {{best.row}, {best.score}, Doubt::none};
    }

    void refresh(int64_t step) {
        local_.refresh(step);
        fresh_ = true;
    }

    bool raise_precision(int64_t step) {
        if (!local_.raise_precision(step)) return false;
        fresh_ = true;
        return true;
    }

    double max_drift() const { return proposals_.largest(local_.max_drift()); }

private:
    /// How near the best score that of an identical row may lie: each rank's rounding differs.
    static constexpr double kNear = 1e-6;

    Proposal propose() {
        Leader leader{};
        Proposal own;
        if (free_ > 0) {
            const bool sound = local_.choose(leader);
            own.score = sound ? leader.exact : std::numeric_limits<double>::quiet_NaN();
            own.row = shard_.first + leader.index;
        }
        if (std::exchange(fresh_, false))
            objective_.set_error_scale(
                proposals_.largest(free_ > 0 ? objective_.error_scale() : 0.0));
        return own;
    }

    /// Brings the best sample here. Where an identical one comes before it, on a rank whose
    /// rounding made a little less of it, that one is the pick.
    void adopt(Proposal& best) {
        picked_.add(collective_, proposals_.owner(best.row), proposals_.local(best.row));
        std::vector<int64_t> rivals;
        for (const Proposal& p : proposals_.all())
            if (p.row >= 0 && p.row < best.row &&
                p.score >= best.score - kNear * std::abs(best.score))
                rivals.push_back(p.row);
        std::sort(rivals.begin(), rivals.end());
        for (int64_t row : rivals)
            if (picked_.last_is(collective_, proposals_.owner(row), proposals_.local(row))) {
                best.row = row;
                break;
            }
        take(best.row);
    }

    /// Commits the picks of a broken run without looking for them, then starts afresh.
    Advance replay() {
        Advance made;
        for (int64_t row : shard_.replay) {
            picked_.add(collective_, proposals_.owner(row), proposals_.local(row));
            take(row);
            const double score =
                objective_.commit_sample(picked_.factors(), picked_.count() - 1);
            shard_.picked(row, score);
            made.picks.push_back(row);
            made.scores.push_back(score);
        }
        refresh(picked_.count());
        return made;
    }

    void take(int64_t row) {
        if (!proposals_.here(row)) return;
        local_.take(proposals_.local(row));
        --free_;
    }

    Objective& objective_;
    const Shard& shard_;
    const Collective& collective_;
    PickedSamples& picked_;
    int64_t free_;  // rows of this shard
    ScreenedPicker<Objective> local_;
    Proposals proposals_;
    bool fresh_ = true;  // no pick since the objective was built or rebuilt
};

}  // namespace fisher_select::cpu
