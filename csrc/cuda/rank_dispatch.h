// SPDX-License-Identifier: Apache-2.0
// A rank known at compile time lets the r x r work live in registers: ranks up to a dozen
// classes have a copy of their own, others share one that works in memory.
#pragma once

#include <type_traits>

namespace fisher_select::cuda {

constexpr int kMostCompiledRank = 11;

/// Calls f(std::integral_constant<int, R>{}) with R the rank, or 0 for a large one.
template <class F>
void with_rank(int rank, const F& f) {
    switch (rank) {
        case 1: return f(std::integral_constant<int, 1>{});
        case 2: return f(std::integral_constant<int, 2>{});
        case 3: return f(std::integral_constant<int, 3>{});
        case 4: return f(std::integral_constant<int, 4>{});
        case 5: return f(std::integral_constant<int, 5>{});
        case 6: return f(std::integral_constant<int, 6>{});
        case 7: return f(std::integral_constant<int, 7>{});
        case 8: return f(std::integral_constant<int, 8>{});
        case 9: return f(std::integral_constant<int, 9>{});
        case 10: return f(std::integral_constant<int, 10>{});
        case kMostCompiledRank: return f(std::integral_constant<int, kMostCompiledRank>{});
        default: return f(std::integral_constant<int, 0>{});
    }
}

}  // namespace fisher_select::cuda
