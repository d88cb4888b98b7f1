// SPDX-License-Identifier: Apache-2.0
// Payment of what candidates owe; see owed_commits.h.
#include "owed_commits.h"

#include <algorithm>

#include "parallel.h"
#include "portable.h"

namespace fisher_select::cpu {
namespace {

// Candidates stop at ages that are multiples of this, and are joined there by younger ones:
// the larger a visit, the faster.
constexpr int64_t kStation = 4;
constexpr int64_t kLeastPart = 16;  // candidates that are worth a thread
constexpr const char* kRemedy = "lower batch_size or oversample, or choose search='full'";

}  // namespace

OwedCommits::OwedCommits(const Context& context, PoolState<float>& pool, int64_t most)
    : context_(context),
      pool_(pool),
      panels_({most, pool.panel_size()}, "the commits that candidates owe", kRemedy),
      age_(static_cast<size_t>(pool.rows().count), kStateless),
      workers_(static_cast<size_t>(context.threads)) {}

void OwedCommits::restart() {
    commits_ = 0;
    std::fill(age_.begin(), age_.end(), kStateless);
}

void OwedCommits::add(const Buffer<double>& panel) {
    pool_.scale_panel(panel, panels_.data() + commits_ * pool_.panel_size());
    ++commits_;
}

OwedCommits::Worker& OwedCommits::worker(int thread) {
    auto& own = workers_[static_cast<size_t>(thread)];
    if (!own) own = std::make_unique<Worker>(pool_);
    return *own;
}

void OwedCommits::visit(const std::vector<int64_t>& candidates, const Visit& body) {
    const auto total = static_cast<int64_t>(candidates.size());
    const int64_t part =
        std::clamp(ceil_div(total, context_.threads), kLeastPart, PoolVisitor::kMost);
    parallel_for(context_, ceil_div(total, part), [&](int64_t task, int thread) {
        const int64_t begin = task * part;
        body(worker(thread).visitor, candidates.data() + begin, begin,
             std::min(part, total - begin));
    });
}

int64_t OwedCommits::pay(const std::vector<int64_t>& candidates) {
    const auto total = static_cast<int64_t>(candidates.size());
    const int64_t part = std::max(ceil_div(total, context_.threads), kLeastPart);
    parallel_for(context_, ceil_div(total, part), [&](int64_t task, int thread) {
        Worker& own = worker(thread);
        own.due.resize(static_cast<size_t>(commits_));
        for (int64_t k = task * part; k < std::min(total, (task + 1) * part); ++k) {
            const int64_t i = candidates[static_cast<size_t>(k)];
            if (!current(i)) own.due[static_cast<size_t>(age(i))].push_back(i);
        }
        pay_due(own);
    });
    int64_t made = 0;
    for (auto& own : workers_)
        if (own) {
            made += own->made;
            own->made = 0;
        }
    return made;
}

/// Visits those that are due, oldest first, again and again until they are up to date.
void OwedCommits::pay_due(Worker& worker) {
    for (int64_t age = 0; age < commits_; ++age) {
        std::vector<int64_t>& due = worker.due[static_cast<size_t>(age)];
        const int64_t to = std::min(commits_, (age / kStation + 1) * kStation);
        const auto total = static_cast<int64_t>(due.size());
        worker.made += total * (to - age);
        for (int64_t begin = 0; begin < total; begin += PoolVisitor::kMost)
            worker.visitor.visit(due.data() + begin,
                                 std::min(PoolVisitor::kMost, total - begin), panel(age),
                                 to - age);
        for (int64_t i : due) {
            set_age(i, to);
            if (to < commits_) worker.due[static_cast<size_t>(to)].push_back(i);
        }
        due.clear();
    }
}

}  // namespace fisher_select::cpu
