// SPDX-License-Identifier: Apache-2.0
// Who waits, who is screened and who is scored; see lazy_sweep.h.
#include "lazy_sweep.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "parallel.h"
#include "portable.h"
#include "rng.h"

namespace fisher_select::cpu {
namespace {

constexpr int64_t kStripe = 1 << 14;                // candidates of a task
constexpr size_t kLeaders = 16;                     // whose best is the bar for all the others
constexpr size_t kAtOnce = 32;                      // scored before the bar is raised
constexpr int64_t kSample = 1024, kSamplePart = 4;  // at most, and at most one in so many
constexpr size_t kFineSample = 128;                 // of it the best, for the finer screen
// Of the sample those count whose gain is this part of its best: others cannot win anyway.
constexpr float kInTheRace = 0.25F;
constexpr float kFineSlack = 0.03F;
// A screen that may be this much too low takes more directions, up to so many.
constexpr float kCoarse = 1.25F;
constexpr int64_t kMostCoarse = 48;
constexpr float kNever = std::numeric_limits<float>::lowest();

}  // namespace

LazySweep::LazySweep(const Context& context, PoolState<float>& pool,
                     const Information& information, const SearchOptions& options)
    : context_(context),
      pool_(pool),
      information_(information),
      count_(pool.rows().count),
      draws_(options, count_),
      screen_(context, pool.factors(), pool.rows(), pool.kernels()),
      coarse_(std::min(screen_.leading(), kMostCoarse)),
      packed_(pool.factors()),
      owed_(context, pool, options.picks),
      looks_(static_cast<size_t>(count_)) {
    const auto part = static_cast<uint64_t>(std::max(kSamplePart, ceil_div(count_, kSample)));
    for (int64_t i = 0; i < count_; ++i)
        if (random_word(options.seed, static_cast<uint64_t>(i)) % part == 0)
            sample_.push_back(i);
}

void LazySweep::restart(const std::vector<char>& taken) {
    taken_ = taken;
    free_count_ = std::count(taken.begin(), taken.end(), 0);
    draw();
    stateless_.assign(static_cast<size_t>(count_), 1);
    exact_.clear();
    fall_.restart();
    full_ += pool_.reset_cost() * static_cast<double>(count_);
    if (full_sweep_) {
        sweep_fully();
        return;
    }
    owed_.restart();
    packed_age_ = -1;
    screen_.restart(information_);
    std::vector<int64_t> all(static_cast<size_t>(count_));
    std::iota(all.begin(), all.end(), 0);
    const std::vector<float> gains = screened(all, coarse_);
    for (int64_t i : all) see(i, gains[static_cast<size_t>(i)], false);
    score(sample_);
    best_of_sample_ = kNever;
    look();
}

void LazySweep::take(int64_t candidate) {
    --free_count_;
    draws_.next();
    taken_[static_cast<size_t>(candidate)] = stateless_[static_cast<size_t>(candidate)] = 1;
}

void LazySweep::update(const Buffer<double>& panel) {
    draw();
    const double sweep = pool_.update_cost() * static_cast<double>(free_count_);
    full_ += sweep;
    if (full_sweep_) {
        made_ += sweep;
        pool_.update(panel);
        look_at_all();
        return;
    }
    owed_.add(panel);
    screen_.update(panel);
    look();
}

/// For today's pick.
void LazySweep::draw() {
    draws_.settle([&](int64_t i) { return free(i); });
}

/// Sees to it that the best is among those looked at.
void LazySweep::look() {
    measure_fall();
    float bar = visit_leaders();
    const std::vector<Ranked> due = rank(screen(contenders(bar), bar));
    for (size_t k = 0; k < due.size() && due[k].first >= bar;) {
        std::vector<int64_t> few;
        for (; k < due.size() && due[k].first >= bar && few.size() < kAtOnce; ++k)
            few.push_back(due[k].second);
        score(few);
        for (int64_t i : few) bar = std::max(bar, pool_.scores()[i]);
        if (made_ > full_) {
            sweep_fully();
            return;
        }
    }
    current_.clear();
    for (int64_t i : exact_)
        if (open(i) && owed_.current(i)) current_.push_back(i);
    std::sort(current_.begin(), current_.end());
}

/// Candidates by what a finer screen says that they may gain, the best first.
std::vector<LazySweep::Ranked> LazySweep::rank(const std::vector<int64_t>& candidates) {
    std::vector<float> gains = screened(candidates, screen_.directions());
    std::vector<Ranked> ranked;
    for (size_t k = 0; k < candidates.size(); ++k)
        ranked.push_back({gains[k] * fine_left_, candidates[k]});
    std::sort(ranked.begin(), ranked.end(), [](const Ranked& a, const Ranked& b) {
        return a.first != b.first ? a.first > b.first : a.second < b.second;
    });
    return ranked;
}

/// What became of the gains that the sample had after each commit.
void LazySweep::measure_fall() {
    // Those far from the race sit out, and are nothing to go by, until the others have fallen.
    std::vector<size_t> places;
    std::vector<int64_t> awake;
    for (size_t k = 0; k < sample_.size(); ++k)
        if (pool_.scores()[sample_[k]] >= kInTheRace * best_of_sample_) {
            places.push_back(k);
            awake.push_back(sample_[k]);
        }
    score(awake);
    best_of_sample_ = kNever;
    for (int64_t i : awake)
        if (free(i)) best_of_sample_ = std::max(best_of_sample_, pool_.scores()[i]);
    std::vector<float> now(sample_.size(), 0.0F);
    std::vector<size_t> in_the_race;
    for (size_t k : places) {
        now[k] = pool_.scores()[sample_[k]];
        if (now[k] >= kInTheRace * best_of_sample_) in_the_race.push_back(k);
    }
    const auto screen_sample = [&] {
        const std::vector<float> gains = screened(awake, coarse_);
        std::vector<float> seen(sample_.size(), 0.0F);
        for (size_t k = 0; k < places.size(); ++k) seen[places[k]] = gains[k];
        return seen;
    };
    std::vector<float> coarse = screen_sample();
    while (most_left(coarse, now, in_the_race, GainFall::kSlack) > kCoarse &&
           coarse_ + SubspaceScreen::kStep <= std::min(kMostCoarse, screen_.directions())) {
        coarse_ += SubspaceScreen::kStep;
        coarse = screen_sample();
    }
    fall_.add(std::move(coarse), now, in_the_race);

    // The finest screen is for a few, so a few tell how far it is off.
    std::sort(in_the_race.begin(), in_the_race.end(),
              [&](size_t a, size_t b) { return now[a] > now[b]; });
    in_the_race.resize(std::min(kFineSample, in_the_race.size()));
    std::vector<int64_t> few;
    std::vector<float> gains;
    std::vector<size_t> all;
    for (size_t k : in_the_race) {
        all.push_back(few.size());
        few.push_back(sample_[k]);
        gains.push_back(now[k]);
    }
    fine_left_ = most_left(screened(few, screen_.directions()), gains, all, kFineSlack);
}

float LazySweep::bound(int64_t candidate) const {
    return owed_.current(candidate) ? pool_.scores()[candidate]
                                    : fall_.bound(looks_[static_cast<size_t>(candidate)]);
}

/// The best score of the likeliest winners among those with a state: what others have to reach.
float LazySweep::visit_leaders() {
    std::vector<Ranked> ranked;
    for (int64_t i : exact_)
        if (open(i)) ranked.push_back({bound(i), i});
    const size_t most = std::min(kLeaders, ranked.size());
    std::partial_sort(ranked.begin(), ranked.begin() + static_cast<int64_t>(most), ranked.end(),
                      std::greater<>());
    std::vector<int64_t> leaders;
    for (size_t k = 0; k < most; ++k) leaders.push_back(ranked[k].second);
    score(leaders);
    float bar = kNever;
    for (const Ranked& one : ranked)
        if (owed_.current(one.second)) bar = std::max(bar, pool_.scores()[one.second]);
    return bar;
}

/// Candidates that may reach the bar by what was seen of them earlier on.
std::vector<int64_t> LazySweep::contenders(float bar) const {
    return those([&](int64_t i) {
        return fall_.bound(looks_[static_cast<size_t>(i)]) >= bar && open(i) &&
               !owed_.current(i);
    });
}

/// Candidates that `keep` says yes to, in order.
template <class Keep>
std::vector<int64_t> LazySweep::those(const Keep& keep) const {
    std::vector<std::vector<int64_t>> found(static_cast<size_t>(ceil_div(count_, kStripe)));
    parallel_for(context_, static_cast<int64_t>(found.size()), [&](int64_t task, int) {
        for (int64_t i = task * kStripe; i < std::min(count_, (task + 1) * kStripe); ++i)
            if (keep(i)) found[static_cast<size_t>(task)].push_back(i);
    });
    std::vector<int64_t> all;
    for (const auto& part : found) all.insert(all.end(), part.begin(), part.end());
    return all;
}

void LazySweep::see(int64_t candidate, float gain, bool exactly) {
    looks_[static_cast<size_t>(candidate)] = GainFall::look(gain, owed_.commits(), exactly);
}

/// Looks at candidates through the coarse screen: those that may still reach the bar.
std::vector<int64_t> LazySweep::screen(const std::vector<int64_t>& candidates, float bar) {
    const std::vector<float> gains = screened(candidates, coarse_);
    std::vector<int64_t> left;
    for (size_t k = 0; k < candidates.size(); ++k) {
        see(candidates[k], gains[k], false);
        if (bound(candidates[k]) >= bar) left.push_back(candidates[k]);
    }
    return left;
}

/// What the first q directions say that candidates gain.
std::vector<float> LazySweep::screened(const std::vector<int64_t>& candidates, int64_t q) {
    std::vector<float> gains(candidates.size());
    owed_.visit(candidates,
                [&](PoolVisitor& visitor, const int64_t* part, int64_t begin, int64_t size) {
                    visitor.screen(part, size, screen_, q, gains.data() + begin);
                });
    for (float& gain : gains)  // what a screen cannot tell must be scored
        if (!std::isfinite(gain)) gain = std::numeric_limits<float>::max();
    made_ += screen_.cost(q) * static_cast<double>(candidates.size());
    return gains;
}

/// Brings candidates up to date, those without a state from Q and P.
void LazySweep::score(const std::vector<int64_t>& candidates) {
    std::vector<int64_t> fresh;
    for (int64_t i : candidates)
        if (!has_state(i)) fresh.push_back(i);
    const int64_t age = owed_.commits() - information_.pending();
    if (!fresh.empty() && packed_age_ != age) {
        packed_.pack(context_, information_);
        packed_age_ = age;
    }
    owed_.visit(fresh, [&](PoolVisitor& visitor, const int64_t* part, int64_t, int64_t size) {
        visitor.reset(part, size, information_, packed_);
    });
    for (int64_t i : fresh) {
        owed_.set_age(i, age);
        stateless_[static_cast<size_t>(i)] = taken_[static_cast<size_t>(i)];
    }
    exact_.insert(exact_.end(), fresh.begin(), fresh.end());
    const int64_t updates = owed_.pay(candidates);
    for (int64_t i : candidates) see(i, pool_.scores()[i], true);
    made_ += pool_.reset_cost() * static_cast<double>(fresh.size()) +
             pool_.update_cost() * static_cast<double>(updates);
}

/// From here on a full search.
void LazySweep::sweep_fully() {
    full_sweep_ = true;
    pool_.reset(information_);
    const int64_t age = owed_.commits() - information_.pending();
    for (int64_t commit = age; commit < owed_.commits(); ++commit)
        pool_.sweep(owed_.panel(commit));
    made_ += (pool_.reset_cost() +
              pool_.update_cost() * static_cast<double>(information_.pending())) *
             static_cast<double>(count_);
    stateless_ = taken_;
    look_at_all();
}

/// All are up to date: those that were drawn are looked at.
void LazySweep::look_at_all() {
    if (!draws_.all()) current_ = those([&](int64_t i) { return open(i); });
}

}  // namespace fisher_select::cpu
