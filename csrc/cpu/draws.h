// SPDX-License-Identifier: Apache-2.0
// Which candidates a pick of a stochastic search looks at: a random part of those that are
// free, drawn anew for each pick. A draw depends on seed, pick and candidate alone, so on
// neither threads nor refreshes, and is made when it is asked for.
#pragma once

#include <cstdint>

#include "rng.h"
#include "search.h"

namespace fisher_select::cpu {

class Draws {
public:
    /// Of a search that is not stochastic: all, always.
    Draws(const SearchOptions& options, int64_t candidates)
        : options_(options), candidates_(candidates) {}

    /// The next pick's.
    void next() { ++pick_; }

    /// Before anything is asked of a pick: where nobody that is free is drawn, all are.
    template <class Free>
    void settle(const Free& free) {
        all_ = false;
        if (options_.search == Search::stochastic)
            for (int64_t i = 0; i < candidates_; ++i)
                if (free(i) && drawn(i)) return;
        all_ = true;
    }

    bool all() const { return all_; }
    bool drawn(int64_t candidate) const {
        return all_ || random_uniform(options_.seed,
                                      static_cast<uint64_t>(pick_ * candidates_ + candidate)) <
                           options_.part;
    }

private:
    SearchOptions options_;
    int64_t candidates_, pick_ = 0;
    bool all_ = true;
};

}  // namespace fisher_select::cpu
