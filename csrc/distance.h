// SPDX-License-Identifier: Apache-2.0
// The mathematics of k-centre greedy and BADGE that every backend shares: what a row's short
// summary rules out, the distance between two gradients, and the clocks of BADGE's race.
#pragma once

#include <cfloat>
#include <cstdint>

#include "portable.h"
#include "rng.h"

namespace fisher_select {

constexpr double kInfinity = HUGE_VAL;
/// Squared distances overflow where a norm reaches this: sums of a few squares must not.
constexpr double kLargestNorm = 1e153;

// -------------------------------------------------------------------------------- bounds
// A summary of a point: float32 coordinates in an orthonormal basis and the norm of the rest.
// Two summaries are no farther apart than the points, but for rounding: coordinates are summed
// in float64 and rounded once (6e-8 of the norm in all), and a rest's square, a norm's less
// the coordinates', loses at most some `length` roundings of the norm's.

/// Relative rounding of a float32 bound, generously: some fifty operations of 6e-8 each.
constexpr float kBoundRounding = 3e-5f;
/// Above all sums of products that underflowed.
constexpr float kBoundUnderflow = 1e-37f;

/// What rounding adds to a summary at the most, as a share of the point's norm.
FS_HOST_DEVICE double rounding_slack(int64_t length) {
    return 4e-7 + ::sqrt(16.0 * static_cast<double>(length) * 0x1p-53);
}

/// The squared distance of two summaries, summed in float32, up to which their points may be
/// `reach` less both slacks apart.
template <class V>
FS_HOST_DEVICE V squared_reach(V reach) {
    return reach * reach * (1.0f + kBoundRounding) + kBoundUnderflow;
}

// ----------------------------------------------------------------------------- distances
/// Inner products of a vector a and a centre's b that distances of gradients are made of.
struct Difference {
    double square;  // |a - b|^2
    double along;   // <a - b, b>
    double center;  // |b|^2
};

/// |g - h|^2 = |x - y|^2 |r|^2 + |y|^2 |r - s|^2 + 2 <x - y, y> <r, r - s>
/// for g = x (x) r and h = y (x) s: no term is a difference of large numbers for close rows,
/// and equal rows are exactly 0 apart. `x` compares x with y, `s` compares s with r.
FS_HOST_DEVICE double gradient_square(const Difference& x, const Difference& s) {
    const double square = x.square * s.center + x.center * s.square - 2.0 * x.along * s.along;
    return square > 0.0 ? square : 0.0;
}

// -------------------------------------------------------------------------------- clocks
/// A clock a row, that rings after an exponential time at a rate which is the row's squared
/// distance to its nearest centre. Whose clock rings next is a draw in proportion to the rates,
/// independent of all before (an exponential time has no memory): D^2 sampling, with one random
/// number a row in all. A rate only falls, so a ring foretold from an old rate is never late.
struct Clock {
    double left;   // of the exponential time, at `since`
    double since;  // when the row's rate changed last
};

FS_HOST_DEVICE Clock start_clock(uint64_t seed, int64_t row) {
    return {-::log(random_uniform(seed, static_cast<uint64_t>(row))), 0.0};
}

/// The rate was `before` until a centre was added at the time `when`; nothing ran before the
/// first centre, when it was infinite.
FS_HOST_DEVICE void change_rate(Clock& clock, double before, double when) {
    if (before != kInfinity) {
        const double left = clock.left - before * (when - clock.since);
        clock.left = left > 0.0 ? left : 0.0;
    }
    clock.since = when;
}

/// The key of a row at a centre, which never rings and yet comes before what is excluded.
constexpr double kNeverRings = -DBL_MAX;

/// When the clock rings, negated so that the next ring is the largest.
FS_HOST_DEVICE double ring_key(const Clock& clock, double rate) {
    const double ring = clock.since + clock.left / rate;
    return ring < kInfinity ? -ring : kNeverRings;
}

}  // namespace fisher_select
