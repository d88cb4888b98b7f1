// SPDX-License-Identifier: Apache-2.0
// Distances of rows to their nearest centre, brought up to date row by row and only when asked:
// a row remembers how many centres it has met, so it can wait through many picks and then meet
// all that it missed in one scan of their summaries, sixteen abreast.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "embedding.h"

namespace fisher_select::cpu {

class NearestCenter {
public:
    explicit NearestCenter(const Embedding& points)
        : points_(points),
          square_({points.rows()}, "the pool's distances", "select from a part of the pool"),
          seen_({points.rows()}, "the pool's distances", "select from a part of the pool") {
        std::fill_n(square_.data(), points.rows(), std::numeric_limits<double>::infinity());
        seen_.zero();
    }

    int64_t centers() const { return static_cast<int64_t>(centers_.size()); }

    /// A point of the pool, on whichever rank, with its summary; it must stay where it lies.
    void add(const Point& point, const float* summary) {
        const int64_t at = centers(), fields = points_.fields();
        if (at % kLanes == 0) {
            // A lane without a centre lies infinitely far away.
            reserve(at + kLanes);
            float* block = summaries_.data() + at * fields;
            std::fill_n(block, fields * kLanes, 0.0f);
            std::fill_n(block + (points_.gradient() ? kGradientNorm : kFeatureRest) * kLanes,
                        kLanes, std::numeric_limits<float>::infinity());
        }
        float* block = summaries_.data() + at / kLanes * fields * kLanes;
        for (int64_t k = 0; k < fields; ++k) block[k * kLanes + at % kLanes] = summary[k];
        centers_.push_back(point);
    }

    /// A row of this rank.
    void add(int64_t row) { add(points_.exact().point(row), points_.summary(row)); }

    /// The centre added at this place.
    const Point& center(int64_t place) const { return centers_[static_cast<size_t>(place)]; }

    /// Centres the row has met: the first so many.
    int64_t met(int64_t row) const { return seen_[row]; }
    /// The row has met the first `met` centres elsewhere; `square` is its squared distance to
    /// the nearest of them.
    void meet(int64_t row, int64_t met, double square) {
        seen_[row] = static_cast<int32_t>(met);
        square_[row] = square;
    }

    /// Squared distance to the nearest centre met so far; infinite before the first.
    double square(int64_t row) const { return square_[row]; }
    /// Whether the row has met all centres.
    bool fresh(int64_t row) const { return seen_[row] == centers(); }

    /// Lets the row meet the centres it has missed, in the order they were added. Calls
    /// nearer(place, before, after) where its squared distance falls, and stops early when
    /// that returns true. Rows may be refreshed in parallel, each by one thread. Returns the
    /// number of distances computed in full.
    template <class Nearer>
    int64_t refresh(int64_t row, const Nearer& nearer) {
        return meet_missed(row, kNone, nearer);
    }

    /// The same where the order does not matter: the missed centre that the summaries put
    /// nearest comes first, and rules out most others. Stops early once the squared distance
    /// is below `enough`.
    int64_t refresh_nearest_first(int64_t row, double enough) {
        const auto stop = [&](int64_t, double, double now) { return now < enough; };
        const int64_t met = seen_[row];
        if (centers() - met <= 1) return meet_missed(row, kNone, stop);
        const int64_t likely = points_.smallest_bound(row, summaries_.data(), met / kLanes,
                                                      lane_blocks(centers()));
        if (likely < met) return meet_missed(row, kNone, stop);  // met already: none is near
        square_[row] = std::min(square_[row], points_.squared_distance(row, center(likely)));
        return 1 + meet_missed(row, likely, stop);
    }

private:
    static constexpr int64_t kNone = -1;

    /// `refresh`, but for the centre at place `except`, which the row has met out of turn.
    template <class Nearer>
    int64_t meet_missed(int64_t row, int64_t except, const Nearer& nearer) {
        const int64_t count = centers(), blocks = lane_blocks(count);
        int64_t met = seen_[row], computed = 0;
        double square = square_[row];
        float limit = points_.limit(row, square);
        while (met < count) {
            uint32_t mask = 0;
            const int64_t first = met / kLanes;
            const int64_t block =
                points_.scan(row, summaries_.data(), first, blocks, limit, &mask);
            if (block == first) mask &= ~uint32_t{0} << met % kLanes;
            if (except != kNone && block == except / kLanes)
                mask &= ~(uint32_t{1} << except % kLanes);
            if (mask == 0) {  // none in this block (or none at all)
                met = std::min((block + 1) * kLanes, count);
                continue;
            }
            const int64_t place = block * kLanes + std::countr_zero(mask);
            const double distance = points_.squared_distance(row, center(place));
            ++computed;
            met = place + 1;
            if (distance >= square) continue;
            const double before = square;
            square = distance;
            limit = points_.limit(row, square);
            if (nearer(place, before, square)) break;
        }
        square_[row] = square;
        seen_[row] = static_cast<int32_t>(met);
        return computed;
    }

    /// Room for the summaries of so many centres, doubled as they come.
    void reserve(int64_t count) {
        const int64_t fields = points_.fields();
        if (count * fields <= summaries_.size()) return;
        Buffer<float> wider({std::max(2 * count, int64_t{64} * kLanes), fields},
                            "the centres' summaries", "select in smaller batches");
        std::copy_n(summaries_.data(), summaries_.size(), wider.data());
        summaries_ = std::move(wider);
    }

    const Embedding& points_;
    std::vector<Point> centers_;
    Buffer<float> summaries_;  // [blocks, fields, kLanes]
    Buffer<double> square_;    // [n]
    Buffer<int32_t> seen_;     // [n]
};

}  // namespace fisher_select::cpu
