// SPDX-License-Identifier: Apache-2.0
// The greedy driver: one for every objective and backend. It alone owns drift, refreshes and
// the stop reason, and the rule of a pick; a picker only makes picks for as long as they are
// sound.
//
// An objective screens all candidates in its working precision (higher is better) and scores a
// few exactly, in float64. A pick is the exact best of the leaders: those whose screened score
// may, within the drift seen, be the largest. Equal scores go to the lowest index.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "context.h"
#include "error.h"
#include "portable.h"

namespace fisher_select {

struct GreedyOptions {
    const char* stage = "forward";
    int64_t count = 0;
    int64_t steps_before = 0;  // picks of earlier stages, for messages
    double rtol = 1e-3;        // drift of a screened score that calls for a refresh
};

struct GreedyResult {
    std::vector<int64_t> picks;  // candidate numbers in order
    std::vector<double> scores;  // exact, when picked
    int64_t refreshes = 0;
    double max_drift = 0.0;     // largest relative error of a screened leader
    double search_share = 1.0;  // of the work over candidates that a full search makes
};

struct Leader {
    int64_t index;
    double screened, exact;
};

/// The best few candidates in index order, identical ones once.
struct Leaders {
    static constexpr int kMost = 64;

    /// `same(i, j)`: identical to the last bit. Candidates come in index order.
    template <class Same>
    FS_HOST_DEVICE void admit(const Leader& candidate, const Same& same) {
        for (int l = 0; l < count; ++l)
            if (same(item[l].index, candidate.index)) return;
        item[count++] = candidate;
        if (count <= kMost) return;
        int lowest = 0;
        for (int l = 1; l < count; ++l)
            if (item[l].screened <= item[lowest].screened) lowest = l;
        for (int l = lowest; l + 1 < count; ++l) item[l] = item[l + 1];
        --count;
    }

    Leader item[kMost + 1];
    int count = 0;
};

/// How far below the best screened score a leader may lie, relative to it. It starts from the
/// rounding of a fresh screen and widens until it covers the drift of everybody inside it.
FS_HOST_DEVICE constexpr double first_margin(double resolution) { return 64 * resolution; }

enum class Verdict {
    sound,    ///< the winner is the pick
    widen,    ///< the margin has grown: collect the leaders again
    unsound,  ///< the screened scores cannot be trusted
};

/// Compares the leaders' screened scores with their exact ones.
FS_HOST_DEVICE Verdict judge(const Leaders& leaders, double rtol, double& margin,
                             double& max_drift, Leader& winner) {
    double largest = 0.0, error = 0.0;
    for (int l = 0; l < leaders.count; ++l) {
        const Leader& leader = leaders.item[l];
        if (!is_finite(leader.exact)) return Verdict::unsound;
        largest = fmax(largest, fabs(leader.exact));
        error = fmax(error, fabs(leader.screened - leader.exact));
    }
    const double drift = error > 0.0 ? error / largest : 0.0;
    max_drift = fmax(max_drift, drift);
    if (!(drift <= rtol)) return Verdict::unsound;
    if (2 * drift > margin) {
        margin = 4 * drift;
        return Verdict::widen;
    }
    winner = leaders.item[0];  // in index order, so the first of equals stays
    for (int l = 1; l < leaders.count; ++l)
        if (leaders.item[l].exact > winner.exact) winner = leaders.item[l];
    return Verdict::sound;
}

/// Why a picker stopped before the number of picks it was asked for.
enum class Doubt {
    none,
    unsound,  ///< screened scores are off by more than rtol, or not finite
    worn,     ///< the winner is sound, but rounding may have eaten a score this small
};

struct Advance {
    std::vector<int64_t> picks;  // candidate numbers
    std::vector<double> scores;
    Doubt doubt = Doubt::none;
};

/// What a Picker offers:
///   Advance advance(int64_t most, bool even_if_worn)   some picks, at most `most`
///   void refresh(int64_t step)                         rebuild from what does not drift
///   bool raise_precision(int64_t step)                 false: there is no higher one
///   double max_drift() const
template <class Picker>
class Greedy {
public:
    Greedy(const Context& context, Picker& picker, const GreedyOptions& options)
        : context_(context), picker_(picker), options_(options) {}

    GreedyResult run() {
        bool even_if_worn = false;
        while (made() < options_.count) {
            context_.poll();
            context_.progress(options_.stage, made(), options_.count);
            const Advance found = picker_.advance(options_.count - made(), even_if_worn);
            note(found);
            even_if_worn = found.doubt != Doubt::none && !cure(found.doubt);
        }
        context_.progress(options_.stage, options_.count, options_.count);
        result_.max_drift = picker_.max_drift();
        return std::move(result_);
    }

private:
    static constexpr int kRefreshesInARow = 3;  // picks, then the precision is raised

    int64_t made() const { return static_cast<int64_t>(result_.picks.size()); }
    int64_t step() const { return options_.steps_before + made(); }

    void note(const Advance& found) {
        if (found.picks.empty()) return;
        result_.picks.insert(result_.picks.end(), found.picks.begin(), found.picks.end());
        result_.scores.insert(result_.scores.end(), found.scores.begin(), found.scores.end());
        if (!fresh_ || found.picks.size() > 1) refreshed_in_a_row_ = 0;
        fresh_ = false;
    }

    /// False where nothing helps and the winner is as good as float64 can tell.
    bool cure(Doubt doubt) {
        if (!fresh_ && refreshed_in_a_row_ < kRefreshesInARow) {
            picker_.refresh(step());
            ++refreshed_in_a_row_;
        } else if (picker_.raise_precision(step())) {
            refreshed_in_a_row_ = 0;
        } else if (doubt == Doubt::worn) {
            return false;
        } else {
            throw NumericalError(std::string("scores of the ") + options_.stage +
                                     " stage are lost in rounding after " +
                                     std::to_string(step()) +
                                     " picks, and a refresh does not cure it: raise lam",
                                 step());
        }
        fresh_ = true;
        ++result_.refreshes;
        return true;
    }

    const Context& context_;
    Picker& picker_;
    GreedyOptions options_;
    GreedyResult result_;
    bool fresh_ = true;  // no pick since the picker was built or rebuilt
    int refreshed_in_a_row_ = 0;
};

}  // namespace fisher_select
