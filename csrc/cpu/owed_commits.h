// SPDX-License-Identifier: Apache-2.0
// The commits since the pool was fresh, and who has taken up how many of them. A candidate that
// nobody looks at owes the later ones; they are paid oldest first, when somebody does.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "buffer.h"
#include "context.h"
#include "pool_state.h"
#include "pool_visitor.h"

namespace fisher_select::cpu {

class OwedCommits {
public:
    static constexpr int32_t kStateless = -1;  // the age of a candidate without G and H

    /// A panel [columns, length] for each of `most` picks, and 4 bytes a candidate.
    OwedCommits(const Context& context, PoolState<float>& pool, int64_t most);

    /// No commits yet; nobody has a state.
    void restart();
    void add(const Buffer<double>& panel);

    int64_t commits() const { return commits_; }
    /// Commits that a candidate has taken up.
    int32_t age(int64_t candidate) const { return age_[static_cast<size_t>(candidate)]; }
    void set_age(int64_t candidate, int64_t age) {
        age_[static_cast<size_t>(candidate)] = static_cast<int32_t>(age);
    }
    bool current(int64_t candidate) const { return age(candidate) == commits_; }
    const float* panel(int64_t commit) const {
        return panels_.data() + commit * pool_.panel_size();
    }

    /// Brings candidates with a state up to date. Returns the updates made.
    int64_t pay(const std::vector<int64_t>& candidates);

    /// Calls body(visitor, part of `candidates`, its first place, its size) in parallel.
    using Visit = std::function<void(PoolVisitor&, const int64_t*, int64_t, int64_t)>;
    void visit(const std::vector<int64_t>& candidates, const Visit& body);

private:
    struct Worker {  // of a thread
        explicit Worker(PoolState<float>& pool) : visitor(pool) {}

        PoolVisitor visitor;
        std::vector<std::vector<int64_t>> due;  // candidates, by their age
        int64_t made = 0;
    };

    Worker& worker(int thread);
    void pay_due(Worker& worker);

    const Context& context_;
    PoolState<float>& pool_;
    Buffer<float> panels_;  // [commits, panel]
    int64_t commits_ = 0;
    std::vector<int32_t> age_;
    std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace fisher_select::cpu
