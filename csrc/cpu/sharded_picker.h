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
          local_(objective, std::move(taken), rtol) {
        const double own = static_cast<double>(shard.first);
        firsts_.resize(static_cast<size_t>(collective_.ranks));
        collective_.gather(&own, 1, firsts_.data());
    }

    Advance advance(int64_t, bool even_if_worn) {
        if (picked_.count() == 0 && !shard_.replay.empty()) return replay();
        Proposal best = agree(propose());
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

    double max_drift() const { return largest(local_.max_drift()); }

private:
    static constexpr double kNothing = -std::numeric_limits<double>::infinity();

    /// How near the best score that of an identical row may lie: each rank's rounding differs.
    static constexpr double kNear = 1e-6;

    /// The best row of a rank. No number as a score: it cannot tell; kNothing: no row is free.
    struct Proposal {
        double score = kNothing;
        int64_t row = -1;  // of the whole pool
    };

    Proposal propose() {
        Leader leader{};
        Proposal own;
        if (free_ > 0) {
            const bool sound = local_.choose(leader);
            own.score = sound ? leader.exact : std::numeric_limits<double>::quiet_NaN();
            own.row = shard_.first + leader.index;
        }
        if (std::exchange(fresh_, false))
            objective_.set_error_scale(largest(free_ > 0 ? objective_.error_scale() : 0.0));
        return own;
    }

    /// The best proposal of all ranks, of equal ones the lowest row; no number where one is.
    Proposal agree(const Proposal& own) {
        const double said[2] = {own.score, static_cast<double>(own.row)};
        std::vector<double> heard(2 * firsts_.size());
        collective_.gather(said, 2, heard.data());
        proposals_.clear();
        for (size_t rank = 0; rank < firsts_.size(); ++rank)
            proposals_.push_back({heard[2 * rank], static_cast<int64_t>(heard[2 * rank + 1])});
        Proposal best;
        for (const Proposal& p : proposals_) {  // shards need not come in the order of ranks
            if (std::isnan(p.score)) return p;
            if (p.score > best.score || (p.score == best.score && p.row < best.row)) best = p;
        }
        internal_check(best.row >= 0, "no more picks than free candidates");
        return best;
    }

    /// Brings the best sample here. Where an identical one comes before it, on a rank whose
    /// rounding made a little less of it, that one is the pick.
    void adopt(Proposal& best) {
        picked_.add(collective_, owner(best.row), local_row(best.row));
        std::vector<int64_t> rivals;
        for (const Proposal& p : proposals_)
            if (p.row >= 0 && p.row < best.row &&
                p.score >= best.score - kNear * std::abs(best.score))
                rivals.push_back(p.row);
        std::sort(rivals.begin(), rivals.end());
        for (int64_t row : rivals)
            if (picked_.last_is(collective_, owner(row), local_row(row))) {
                best.row = row;
                break;
            }
        take(best.row);
    }

    /// Commits the picks of a broken run without looking for them, then starts afresh.
    Advance replay() {
        Advance made;
        for (int64_t row : shard_.replay) {
            picked_.add(collective_, owner(row), local_row(row));
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
        if (owner(row) != collective_.rank) return;
        local_.take(local_row(row));
        --free_;
    }

    int64_t local_row(int64_t row) const { return row - shard_.first; }

    /// The rank whose first row is the last one not above `row`.
    int owner(int64_t row) const {
        int found = -1;
        for (int rank = 0; rank < collective_.ranks; ++rank) {
            const double first = firsts_[static_cast<size_t>(rank)];
            if (first <= static_cast<double>(row) &&
                (found < 0 || first > firsts_[static_cast<size_t>(found)]))
                found = rank;
        }
        return found;
    }

    double largest(double own) const {
        std::vector<double> all(firsts_.size());
        collective_.gather(&own, 1, all.data());
        return *std::max_element(all.begin(), all.end());
    }

    Objective& objective_;
    const Shard& shard_;
    const Collective& collective_;
    PickedSamples& picked_;
    int64_t free_;  // rows of this shard
    ScreenedPicker<Objective> local_;
    std::vector<double> firsts_;  // [ranks]: first row of each shard
    std::vector<Proposal> proposals_;
    bool fresh_ = true;  // no pick since the objective was built or rebuilt
};

}  // namespace fisher_select::cpu
