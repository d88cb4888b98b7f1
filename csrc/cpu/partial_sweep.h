// SPDX-License-Identifier: Apache-2.0
// A search of the forward stage that does not look at every candidate at each pick: what the
// objective asks of one.
#pragma once

#include <vector>

#include "buffer.h"
#include "view.h"

namespace fisher_select::cpu {

class PartialSweep {
public:
    PartialSweep() = default;
    PartialSweep(const PartialSweep&) = delete;
    PartialSweep& operator=(const PartialSweep&) = delete;
    virtual ~PartialSweep() = default;

    /// Q and P are fresh; `taken` [candidates] is 1 for those that must not be picked.
    virtual void restart(const std::vector<char>& taken) = 0;

    /// A candidate was picked.
    virtual void take(int64_t candidate) = 0;

    /// A commit, U | R as PoolState::update has it.
    virtual void update(const Buffer<double>& panel) = 0;

    /// Candidates whose scores in the pool are those of today, in order.
    virtual RowList looked_at() const = 0;

    /// 1 for candidates that were taken, or have no state.
    virtual const std::vector<char>& stateless() const = 0;

    /// Multiplications over candidates, of those that a full search makes.
    double share() const { return made_ / full_; }

protected:
    double made_ = 0.0, full_ = 0.0;
};

}  // namespace fisher_select::cpu
