// SPDX-License-Identifier: Apache-2.0
// Stochastic greedy: a pick looks at a random part of the candidates, drawn anew each time.
// Those drawn take up the commits they owe; the others wait.
#pragma once

#include <cstdint>
#include <vector>

#include "context.h"
#include "owed_commits.h"
#include "partial_sweep.h"
#include "pool_state.h"
#include "search.h"

namespace fisher_select::cpu {

class StochasticSweep final : public PartialSweep {
public:
    /// Beyond the pool's own memory: a panel a pick, and some 20 bytes a candidate.
    StochasticSweep(const Context& context, PoolState<float>& pool,
                    const Information& information, const SearchOptions& options);

    void restart(const std::vector<char>& taken) override;
    void take(int64_t candidate) override;
    void update(const Buffer<double>& panel) override;
    RowList looked_at() const override {
        return {drawn_.data(), static_cast<int64_t>(drawn_.size())};
    }
    const std::vector<char>& stateless() const override { return taken_; }

private:
    void look();
    std::vector<int64_t> draw() const;

    const Context& context_;
    PoolState<float>& pool_;
    const Information& information_;
    int64_t count_;
    SearchOptions options_;
    OwedCommits owed_;
    int64_t picks_ = 0;  // of the stage
    std::vector<char> taken_;
    std::vector<int64_t> drawn_;
};

}  // namespace fisher_select::cpu
