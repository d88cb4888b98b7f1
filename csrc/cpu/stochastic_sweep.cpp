// SPDX-License-Identifier: Apache-2.0
// Draws, and visits to those drawn; see stochastic_sweep.h.
#include "stochastic_sweep.h"

#include <algorithm>

#include "parallel.h"
#include "portable.h"
#include "rng.h"

namespace fisher_select::cpu {
namespace {

constexpr int64_t kStripe = 1 << 14;  // candidates of a task

}  // namespace

StochasticSweep::StochasticSweep(const Context& context, PoolState<float>& pool,
                                 const Information& information, const SearchOptions& options)
    : context_(context),
      pool_(pool),
      information_(information),
      count_(pool.rows().count),
      options_(options),
      owed_(context, pool, options.picks) {}

void StochasticSweep::restart(const std::vector<char>& taken) {
    pool_.reset(information_);
    made_ += pool_.reset_cost() * static_cast<double>(count_);
    full_ += pool_.reset_cost() * static_cast<double>(count_);
    pool_.arrange(Layout::rows);
    owed_.restart(0);
    taken_ = taken;
    look();
}

void StochasticSweep::take(int64_t candidate) {
    taken_[static_cast<size_t>(candidate)] = 1;
    ++picks_;
}

void StochasticSweep::update(const Buffer<double>& panel) {
    owed_.add(panel);
    full_ +=
        pool_.update_cost() * static_cast<double>(std::count(taken_.begin(), taken_.end(), 0));
    look();
}

void StochasticSweep::look() {
    drawn_ = draw();
    made_ += pool_.update_cost() * static_cast<double>(owed_.pay(drawn_));
}

/// Of the free candidates a part, or where that is nobody all. Draws depend on seed, pick and
/// candidate alone, so on neither threads nor refreshes.
std::vector<int64_t> StochasticSweep::draw() const {
    std::vector<char> part(static_cast<size_t>(count_));
    parallel_for(context_, ceil_div(count_, kStripe), [&](int64_t task, int) {
        for (int64_t i = task * kStripe; i < std::min(count_, (task + 1) * kStripe); ++i)
            part[static_cast<size_t>(i)] =
                random_uniform(options_.seed, static_cast<uint64_t>(picks_ * count_ + i)) <
                options_.part;
    });
    std::vector<int64_t> drawn, free;
    for (int64_t i = 0; i < count_; ++i) {
        if (taken_[static_cast<size_t>(i)]) continue;
        free.push_back(i);
        if (part[static_cast<size_t>(i)]) drawn.push_back(i);
    }
    return drawn.empty() ? free : drawn;
}

}  // namespace fisher_select::cpu
