// SPDX-License-Identifier: Apache-2.0
// Inner loop of mean distances for one instruction set; cmake/kernels.cmake compiles this file
// several times (see pool_kernels.cpp for the rules that follow from it).
#include "mean_distance_kernels.h"

#include "lane_vector.h"

namespace fisher_select::cpu {
namespace {

using Doubles = Lanes<double>;

// References whose squares are summed at once, each in kLanes lanes: what fits the registers.
#if defined(__AVX512F__)
constexpr int kAbreast = 8;
#elif defined(__AVX2__)
constexpr int kAbreast = 2;
#else
constexpr int kAbreast = 1;
#endif
static_assert(kReferenceGroup % kAbreast == 0);

/// Differences, not products: |x|^2 + |y|^2 - 2 <x, y> would lose the digits of near rows.
template <bool kBothWays>
void add_one_way_or_both(const DistanceTile& tile) {
    const Doubles* x = reinterpret_cast<const Doubles*>(tile.rows);
    const Doubles inside = *reinterpret_cast<const Doubles*>(tile.inside);
    Doubles* row_sums = reinterpret_cast<Doubles*>(tile.row_sums);
    Doubles* reference_sums = reinterpret_cast<Doubles*>(tile.reference_sums);
    for (int64_t first = 0; first < tile.count; first += kAbreast) {
        const double* y = tile.references + first * tile.length;
        Doubles squares[kAbreast] = {};
        for (int64_t k = 0; k < tile.length; ++k)
            for (int r = 0; r < kAbreast; ++r) {
                const Doubles difference = x[k] - y[r * tile.length + k];
                squares[r] += difference * difference;
            }
        for (int r = 0; r < kAbreast && first + r < tile.count; ++r) {
            Doubles rest = Math<Doubles>::root(squares[r]) * inside;
            for (int level = 0; level < kSumLevels; ++level) {
                const Doubles part = take_part(rest, tile.anchors.of[level]);
                row_sums[level] += part;
                if (kBothWays) reference_sums[(first + r) * kSumLevels + level] += part;
            }
        }
    }
}

void add_distances(const DistanceTile& tile) {
    tile.reference_sums ? add_one_way_or_both<true>(tile) : add_one_way_or_both<false>(tile);
}

}  // namespace

namespace FS_INSTRUCTION_SET {
extern const MeanDistanceKernels mean_distance_kernels;
const MeanDistanceKernels mean_distance_kernels = {add_distances};
}  // namespace FS_INSTRUCTION_SET

}  // namespace fisher_select::cpu
