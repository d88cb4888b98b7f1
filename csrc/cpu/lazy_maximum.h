// SPDX-License-Identifier: Apache-2.0
// The row with the largest value, where a value costs and most rows have only an upper bound:
// evaluate the row with the largest key until that row's key is its value. Only rows whose
// bound reaches the maximum are ever evaluated, and the answer depends on neither order nor
// threads. Ties go to the lowest row.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "buffer.h"
#include "parallel.h"

namespace fisher_select::cpu {

constexpr double kExcluded = -std::numeric_limits<double>::infinity();

/// Largest of some keys that change one at a time; the lower place wins a tie.
class Tournament {
public:
    Tournament(const double* keys, int64_t count)
        : keys_(keys),
          leaves_(static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(count)))),
          winners_(static_cast<size_t>(2 * leaves_), -1) {
        for (int64_t i = 0; i < count; ++i)
            winners_[static_cast<size_t>(leaves_ + i)] = static_cast<int32_t>(i);
        for (int64_t node = leaves_ - 1; node > 0; --node) play(node);
    }

    int64_t top() const { return winners_[1]; }

    /// After keys[place] has changed.
    void replay(int64_t place) {
        for (int64_t node = (leaves_ + place) / 2; node > 0; node /= 2) {
            const int32_t before = winners_[static_cast<size_t>(node)];
            play(node);
            // Above a match that others decided, before and after, nothing changes.
            if (before != place && winners_[static_cast<size_t>(node)] == before) return;
        }
    }

private:
    void play(int64_t node) {
        const int32_t left = winners_[static_cast<size_t>(2 * node)];
        const int32_t right = winners_[static_cast<size_t>(2 * node + 1)];
        winners_[static_cast<size_t>(node)] =
            right >= 0 && (left < 0 || keys_[right] > keys_[left]) ? right : left;
    }

    const double* keys_;
    int64_t leaves_;
    std::vector<int32_t> winners_;  // [2 leaves]; -1 where there is nobody
};

class LazyMaximum {
public:
    /// keys [rows]: an upper bound of each value, kExcluded for rows out of the running.
    LazyMaximum(const Context& context, Buffer<double> keys)
        : context_(context),
          keys_(std::move(keys)),
          // Enough to share between threads, few enough to look through at every step.
          shard_rows_(std::max<int64_t>(4096, keys_.size() / 32)) {
        rebuild();
    }

    /// Excludes a row.
    void remove(int64_t row) { set(row, kExcluded); }

    /// Evaluates every row once, in parallel, and no further than needed to tell that it is
    /// not the largest. For the start, when the bounds say nothing.
    template <class Evaluate, class Fresh>
    void sweep(const Evaluate& evaluate, const Fresh& fresh) {
        constexpr int64_t kRows = 256;
        std::atomic<double> best{kExcluded};
        parallel_for(
            context_, (keys_.size() + kRows - 1) / kRows, [&](int64_t task, int thread) {
                const int64_t end = std::min(keys_.size(), (task + 1) * kRows);
                for (int64_t row = task * kRows; row < end; ++row) {
                    if (keys_[row] == kExcluded) continue;
                    keys_[row] = evaluate(row, best.load(std::memory_order_relaxed), thread);
                    if (fresh(row)) raise(best, keys_[row]);
                }
            });
        rebuild();
    }

    /// The row with the largest value. evaluate(row, enough, thread) returns a row's value, or
    /// any upper bound below `enough`; fresh(row) tells whether its key is its value. In
    /// parallel the same answer, for searches long enough to be worth waking the threads.
    template <class Evaluate, class Fresh>
    int64_t find(const Evaluate& evaluate, const Fresh& fresh, bool parallel) {
        if (parallel)
            settle_in_parallel(evaluate, fresh);
        else
            settle(evaluate, fresh);
        return leader();
    }

    double key(int64_t row) const { return keys_[row]; }

private:
    static void raise(std::atomic<double>& best, double value) {
        double now = best.load(std::memory_order_relaxed);
        while (value > now && !best.compare_exchange_weak(now, value)) {
        }
    }

    void rebuild() {
        shards_.clear();
        for (int64_t begin = 0; begin < keys_.size(); begin += shard_rows_)
            shards_.emplace_back(keys_.data() + begin,
                                 std::min(shard_rows_, keys_.size() - begin));
    }

    void set(int64_t row, double key) {
        keys_[row] = key;
        shards_[static_cast<size_t>(row / shard_rows_)].replay(row % shard_rows_);
    }

    int64_t top(size_t shard) const {
        return static_cast<int64_t>(shard) * shard_rows_ + shards_[shard].top();
    }

    int64_t leader() const {
        int64_t best = top(0);
        for (size_t shard = 1; shard < shards_.size(); ++shard)
            if (keys_[top(shard)] > keys_[best]) best = top(shard);
        return best;
    }

    template <class Evaluate, class Fresh>
    void settle(const Evaluate& evaluate, const Fresh& fresh) {
        double best = kExcluded;
        int64_t turn = 0;
        for (int64_t row = leader(); !fresh(row); row = leader()) {
            set(row, evaluate(row, best, 0));
            if (fresh(row)) best = std::max(best, keys_[row]);
            if (++turn % 32 == 0) context_.poll();
        }
        context_.poll();
    }

    template <class Evaluate, class Fresh>
    void settle_in_parallel(const Evaluate& evaluate, const Fresh& fresh) {
        constexpr int kTurns = 256;  // of one task: Ctrl-C must not wait for a whole shard
        std::atomic<double> best{kExcluded};
        std::atomic<bool> more{true};
        const auto work = [&](int64_t shard, int thread) {
            for (int turn = 0; turn < kTurns; ++turn) {
                const int64_t row = top(static_cast<size_t>(shard));
                const double enough = best.load(std::memory_order_relaxed);
                if (keys_[row] < enough || keys_[row] == kExcluded) return;
                if (fresh(row)) return raise(best, keys_[row]);
                set(row, evaluate(row, enough, thread));
            }
            more.store(true, std::memory_order_relaxed);
        };
        while (more.exchange(false)) {
            parallel_for(context_, static_cast<int64_t>(shards_.size()), work);
            context_.poll();
        }
    }

    const Context& context_;
    Buffer<double> keys_;
    int64_t shard_rows_;
    std::vector<Tournament> shards_;
};

}  // namespace fisher_select::cpu
