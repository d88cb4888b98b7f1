// SPDX-License-Identifier: Apache-2.0
// How the forward stage of a selection by information looks for a pick.
#pragma once

#include <cstdint>

namespace fisher_select {

/// Which candidates a pick looks at.
enum class Search {
    full,        ///< all
    lazy,        ///< those that, by what was seen of them, can still win
    stochastic,  ///< those of a random part of them
};

struct SearchOptions {
    Search search = Search::full;
    double part = 1.0;  // stochastic: of the candidates, at each pick
    uint64_t seed = 0;
    int64_t picks = 0;  // of the stage, at the most
};

}  // namespace fisher_select
