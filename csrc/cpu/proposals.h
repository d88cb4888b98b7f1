// SPDX-License-Identifier: Apache-2.0
// What the ranks of a sharded pool propose to pick, and who holds which row. What is decided is
// decided from what all have heard, so the ranks cannot part ways.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "error.h"
#include "shard.h"

namespace fisher_select::cpu {

/// The best row of a rank. No number as a score: it cannot tell; -infinity: no row is free.
struct Proposal {
    double score = -std::numeric_limits<double>::infinity();
    int64_t row = -1;  // of the whole pool
};

class Proposals {
public:
    explicit Proposals(const Shard& shard) : shard_(shard) {
        firsts_ = gather(static_cast<double>(shard.first));
    }

    /// The best proposal of all ranks, of equal ones the lowest row; no number where one is.
    /// 16 bytes from each.
    Proposal best(const Proposal& own) {
        const double said[2] = {own.score, static_cast<double>(own.row)};
        std::vector<double> heard(2 * firsts_.size());
        shard_.collective.gather(said, 2, heard.data());
        all_.clear();
        for (size_t rank = 0; rank < firsts_.size(); ++rank)
            all_.push_back({heard[2 * rank], static_cast<int64_t>(heard[2 * rank + 1])});
        Proposal best;
        for (const Proposal& p : all_) {  // shards need not come in the order of ranks
            if (std::isnan(p.score)) return p;
            if (p.score > best.score || (p.score == best.score && p.row < best.row)) best = p;
        }
        internal_check(best.row >= 0, "no more picks than free candidates");
        return best;
    }

    /// What the ranks proposed last.
    const std::vector<Proposal>& all() const { return all_; }

    /// The rank whose first row is the last one not above `row`.
    int owner(int64_t row) const {
        int found = -1;
        for (int rank = 0; rank < shard_.collective.ranks; ++rank) {
            const double first = firsts_[static_cast<size_t>(rank)];
            if (first <= static_cast<double>(row) &&
                (found < 0 || first > firsts_[static_cast<size_t>(found)]))
                found = rank;
        }
        return found;
    }

    bool here(int64_t row) const { return owner(row) == shard_.collective.rank; }

    /// A row of the pool, counted from this rank's first.
    int64_t local(int64_t row) const { return row - shard_.first; }

    /// The largest of everybody's values.
    double largest(double own) const {
        const std::vector<double> all = gather(own);
        return *std::max_element(all.begin(), all.end());
    }

private:
    std::vector<double> gather(double own) const {
        std::vector<double> all(static_cast<size_t>(shard_.collective.ranks));
        shard_.collective.gather(&own, 1, all.data());
        return all;
    }

    const Shard& shard_;
    std::vector<double> firsts_;  // [ranks]: first row of each shard
    std::vector<Proposal> all_;
};

}  // namespace fisher_select::cpu
