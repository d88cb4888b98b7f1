// SPDX-License-Identifier: Apache-2.0
// A prefilter of candidates: the rows with the largest gains before any pick, found by slices
// of the pool, so that nothing of all its rows is ever held.
//
// Gains are computed in float64 and compared by their leading 24 bits. What is equal but for
// rounding, which differs with a row's place in a slice, is thus a tie, and the lowest row's.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "context.h"
#include "error.h"
#include "information_options.h"
#include "ops.h"

namespace fisher_select {

inline double leading_bits(double gain) {
    constexpr int kBits = 24;
    int exponent = 0;
    const double fraction = std::frexp(gain, &exponent);
    return std::ldexp(std::round(std::ldexp(fraction, kBits)), exponent - kBits);
}

/// The `count` best of the rows shown to it; of equal ones the lowest. 32 bytes for each.
class BestRows {
public:
    explicit BestRows(int64_t count) : count_(static_cast<size_t>(count)) {
        entries_.reserve(2 * count_);
    }

    /// Rows come in ascending order.
    void admit(int64_t row, double gain) {
        const double rounded = leading_bits(gain);
        if (full_ && rounded <= bar_) return;
        entries_.push_back({rounded, row});
        if (entries_.size() == 2 * count_) prune();
    }

    /// In ascending order.
    std::vector<int64_t> rows() {
        if (entries_.size() > count_) prune();
        std::vector<int64_t> found;
        for (const Entry& entry : entries_) found.push_back(entry.row);
        std::sort(found.begin(), found.end());
        return found;
    }

private:
    struct Entry {
        double gain;
        int64_t row;
    };

    void prune() {
        const auto last = entries_.begin() + static_cast<std::ptrdiff_t>(count_) - 1;
        std::nth_element(entries_.begin(), last, entries_.end(),
                         [](const Entry& a, const Entry& b) {
                             return a.gain > b.gain || (a.gain == b.gain && a.row < b.row);
                         });
        bar_ = last->gain;
        full_ = true;
        entries_.resize(count_);
    }

    size_t count_;
    std::vector<Entry> entries_;
    double bar_ = 0.0;  // of the entries kept at the last pruning, the smallest gain
    bool full_ = false;
};

/// Rows of a slice whose float64 state takes `bytes`, and no more than can be read ahead.
inline int64_t slice_rows(const Factors& f, int64_t bytes) {
    constexpr int64_t kMost = int64_t{1} << 17;
    const int64_t values =
        f.link_size() + f.mean_size() + 2 * int64_t{f.groups} * triangle(f.rank) + 1;
    return std::clamp<int64_t>(bytes / (8 * values), 1, kMost);
}

/// The problem's `candidates` rows with the largest gains at M_0, labelled ones left out.
///
/// The engine offers
///   int64_t slice_rows() const
///   std::vector<double> gains(Information&, const Factors&, const PoolOptions&)   [rows]
template <class Engine, class Information>
std::vector<int64_t> leading_rows(const Context& context, const TraceProblem& problem,
                                  const Engine& engine, const Information& information,
                                  const PoolOptions& options) {
    const int64_t n = problem.factors.count(), step = engine.slice_rows();
    BestRows best(problem.candidates);
    const int64_t *labeled = problem.labeled.index, *last = labeled + problem.labeled.count;
    for (int64_t begin = 0; begin < n; begin += step) {
        context.poll();
        context.progress("prefilter", begin, n);
        const int64_t size = std::min(step, n - begin);
        const std::vector<double> gains =
            engine.gains(information, problem.factors.slice(begin, size), options);
        for (int64_t i = 0; i < size; ++i) {
            if (labeled != last && *labeled == begin + i) {  // they are sorted
                ++labeled;
                continue;
            }
            const double gain = gains[static_cast<size_t>(i)];
            if (!std::isfinite(gain))
                throw NumericalError(
                    "a gain overflows before the first pick: raise lam, or "
                    "scale the features down",
                    0);
            best.admit(begin + i, gain);
        }
    }
    context.progress("prefilter", n, n);
    return best.rows();
}

}  // namespace fisher_select
