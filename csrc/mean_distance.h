// SPDX-License-Identifier: Apache-2.0
// Exact sums of distances, shared by every backend. A distance of 1 at the most is cut into
// parts that are whole multiples of a level's unit, 2^(-bits (level + 1)). Sums of so many
// parts as 52 - bits bits can count stay below 2^53 units, so they carry no rounding, depend on
// no order of threads, chunks or blocks, and can be taken apart again by a subtraction.
#pragma once

#include "portable.h"

namespace fisher_select {

constexpr int kSumLevels = 3;

/// Numbers of such a size that each has its level's unit as its last bit.
struct SumAnchors {
    double of[kSumLevels];
};

FS_HOST_DEVICE SumAnchors sum_anchors(int bits) {
    SumAnchors anchors{};
    for (int level = 0; level < kSumLevels; ++level)
        anchors.of[level] = ::ldexp(1.5, 52 - bits * (level + 1));
    return anchors;
}

/// Takes the multiples of a level's unit out of `rest`, to the nearest one.
template <class V>
FS_HOST_DEVICE V take_part(V& rest, double anchor) {
    const V part = (rest + anchor) - anchor;
    rest -= part;
    return part;
}

}  // namespace fisher_select
