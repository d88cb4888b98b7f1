// SPDX-License-Identifier: Apache-2.0
// Who waits and who is visited; see lazy_sweep.h.
#include "lazy_sweep.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "parallel.h"
#include "portable.h"
#include "rng.h"

namespace fisher_select::cpu {
namespace {

constexpr int64_t kStripe = 1 << 16;  // candidates of a task: enough of them to fill visits
// Candidates wait at ages that are multiples of this, so that many of a visit have the same
// commits to take up; for one that is soon out of the race that is up to three too many.
constexpr int64_t kStation = 4;
constexpr int64_t kLeaders = 64;  // whose best is the bar for all the others
constexpr int kRounds = 4;        // of looking for leaders that wait
// The sample: one candidate in so many, of a small pool more.
constexpr int64_t kSamplePart = 64, kLeastSample = 512, kMostSample = 4096;
// Of 100 picks of 200,000 digits none differed from a full search's with 0.5, where 29 % of the
// updates were made; with 0.2 (20 %) the third pick did.
constexpr float kSlack = 0.5F;
constexpr float kNever = std::numeric_limits<float>::lowest();
constexpr const char* kRemedy = "lower batch_size or oversample, or choose search='full'";

}  // namespace

LazySweep::LazySweep(const Context& context, PoolState<float>& pool, int64_t count,
                     const SearchOptions& options)
    : context_(context),
      pool_(pool),
      count_(count),
      options_(options),
      panels_({options.picks, pool.panel_size()}, "the commits that candidates owe", kRemedy),
      drawn_(static_cast<size_t>(count), 1),
      shown_(static_cast<size_t>(count)),
      workers_(static_cast<size_t>(context.threads)) {
    const auto part = static_cast<uint64_t>(std::clamp(
        count / kLeastSample, int64_t{1}, std::max(kSamplePart, count / kMostSample)));
    for (int64_t i = 0; i < count; ++i)  // another stream than the draws'
        if (random_word(~options.seed, static_cast<uint64_t>(i)) % part == 0)
            sample_.push_back(i);
}

void LazySweep::restart(const std::vector<char>& taken) {
    pool_.arrange(Layout::rows);
    commits_ = 0;
    age_.assign(static_cast<size_t>(count_), 0);
    taken_ = taken;
    sample_gains_.clear();
    look();
}

void LazySweep::take(int64_t candidate) {
    taken_[static_cast<size_t>(candidate)] = 1;
    ++picks_;
}

void LazySweep::update(const Buffer<double>& panel) {
    pool_.scale_panel(panel, panels_.data() + commits_ * pool_.panel_size());
    ++commits_;
    owed_ += std::count(taken_.begin(), taken_.end(), 0);
    look();
}

/// Sees to it that scores() holds what it promises.
void LazySweep::look() {
    draw();
    visit(sample_);
    measure_fall();
    const float bar = commits_ > 0 ? best_of_leaders() : kNever;
    const float* score = pool_.scores();
    parallel_for(context_, ceil_div(count_, kStripe), [&](int64_t task, int thread) {
        Worker& own = worker(thread);
        const int64_t begin = task * kStripe, end = std::min(count_, begin + kStripe);
        for (int64_t i = begin; i < end; ++i)
            if (drawn_[static_cast<size_t>(i)] && waits(i) && bound(i) >= bar)
                own.due[static_cast<size_t>(age_[static_cast<size_t>(i)])].push_back(i);
        visit_due(bar, own);
        for (int64_t i = begin; i < end; ++i)
            shown_[static_cast<size_t>(i)] =
                drawn_[static_cast<size_t>(i)] && !waits(i) ? score[i] : kNever;
    });
}

/// Draws depend on seed, pick and candidate alone, so on neither threads nor refreshes.
void LazySweep::draw() {
    for (int64_t i = 0; i < count_; ++i)
        drawn_[static_cast<size_t>(i)] = !taken_[static_cast<size_t>(i)];
    if (options_.search != Search::stochastic) return;
    std::vector<char> part = drawn_;
    parallel_for(context_, ceil_div(count_, kStripe), [&](int64_t task, int) {
        for (int64_t i = task * kStripe; i < std::min(count_, (task + 1) * kStripe); ++i)
            if (random_uniform(options_.seed, static_cast<uint64_t>(picks_ * count_ + i)) >=
                options_.part)
                part[static_cast<size_t>(i)] = 0;
    });
    if (std::count(part.begin(), part.end(), 1) > 0) drawn_ = std::move(part);
}

/// The sample is up to date: notes its gains, and what became of those it had at each age.
void LazySweep::measure_fall() {
    std::vector<float> now;
    for (int64_t i : sample_) now.push_back(pool_.scores()[i]);
    left_.assign(static_cast<size_t>(commits_) + 1, 1.0F);
    for (size_t age = 0; age < sample_gains_.size(); ++age) {
        float most = 0.0F;
        for (size_t k = 0; k < now.size(); ++k)
            if (sample_gains_[age][k] > 0.0F)
                most = std::max(most, now[k] / sample_gains_[age][k]);
        if (most > 0.0F) left_[age] = (1.0F + kSlack) * most;
    }
    sample_gains_.push_back(std::move(now));
}

/// The largest score among a few candidates with the largest bounds, all brought up to date:
/// what the others have to reach.
float LazySweep::best_of_leaders() {
    using Ranked = std::pair<float, int64_t>;
    float bar = kNever;
    for (int round = 0; round < kRounds; ++round) {
        std::vector<Ranked> leaders;  // a heap, the least of them on top
        for (int64_t i = 0; i < count_; ++i) {
            if (!drawn_[static_cast<size_t>(i)]) continue;
            const Ranked own{-bound(i), i};
            if (static_cast<int64_t>(leaders.size()) == kLeaders) {
                if (!(own < leaders.front())) continue;
                std::pop_heap(leaders.begin(), leaders.end());
                leaders.pop_back();
            }
            leaders.push_back(own);
            std::push_heap(leaders.begin(), leaders.end());
        }
        std::vector<int64_t> waiting;
        for (const auto& [_, i] : leaders)
            if (waits(i)) waiting.push_back(i);
        visit(waiting);
        for (const auto& [_, i] : leaders) bar = std::max(bar, pool_.scores()[i]);
        if (waiting.empty()) break;
    }
    return bar;
}

/// Brings candidates up to date.
void LazySweep::visit(const std::vector<int64_t>& candidates) {
    Worker& own = worker(0);
    for (int64_t i : candidates)
        if (waits(i)) own.due[static_cast<size_t>(age_[static_cast<size_t>(i)])].push_back(i);
    visit_due(kNever, own);
}

/// Visits those that are due, oldest first, again and again until they are up to date or out of
/// the race.
void LazySweep::visit_due(float bar, Worker& worker) {
    for (int64_t age = 0; age < commits_; ++age) {
        std::vector<int64_t>& due = worker.due[static_cast<size_t>(age)];
        const int64_t to = std::min(commits_, (age / kStation + 1) * kStation);
        const auto total = static_cast<int64_t>(due.size());
        worker.visited += total * (to - age);
        for (int64_t begin = 0; begin < total; begin += PoolVisitor::kMost)
            worker.visitor.visit(due.data() + begin,
                                 std::min(PoolVisitor::kMost, total - begin),
                                 panels_.data() + age * pool_.panel_size(), to - age);
        for (int64_t i : due) {
            age_[static_cast<size_t>(i)] = static_cast<int32_t>(to);
            if (to < commits_ && (bar == kNever || bound(i) >= bar))
                worker.due[static_cast<size_t>(to)].push_back(i);
        }
        due.clear();
    }
}

LazySweep::Worker& LazySweep::worker(int thread) {
    auto& own = workers_[static_cast<size_t>(thread)];
    if (!own) own = std::make_unique<Worker>(pool_);
    own->due.resize(static_cast<size_t>(commits_));
    return *own;
}

double LazySweep::share() const {
    int64_t visited = 0;
    for (const auto& own : workers_)
        if (own) visited += own->visited;
    return static_cast<double>(visited) / static_cast<double>(std::max<int64_t>(owed_, 1));
}

}  // namespace fisher_select::cpu
