// SPDX-License-Identifier: Apache-2.0
// Brings a few candidates of a pool up to date, wherever they lie, where a sweep would take
// them all. One visitor a thread.
#pragma once

#include <cstdint>
#include <vector>

#include "buffer.h"
#include "pool_kernels.h"
#include "pool_state.h"

namespace fisher_select::cpu {

class PoolVisitor {
public:
    static constexpr int64_t kMost = 256;  // candidates of one visit

    explicit PoolVisitor(PoolState<float>& pool);

    /// Applies `picks` commits to `count` <= kMost candidates and scores them. `panels`
    /// [picks, columns, length] are scaled, oldest first. The pool lies in Layout::rows.
    /// A commit costs what it costs a sweep, a candidate; a visit reads the candidate's row
    /// once, and reads and writes its state once.
    void visit(const int64_t* candidates, int64_t count, const float* panels, int64_t picks);

private:
    PoolState<float>& pool_;
    int64_t stride_;             // of products, padded against cache aliasing
    std::vector<int64_t> rows_;  // of the factors
    Buffer<float> x_;            // [slots, kMost, length]
    Buffer<float> products_;     // [slots, columns, stride]
    Buffer<float> work_, score_;
    PoolArrays<float> lanes_;  // the candidates' own, a lane each
};

}  // namespace fisher_select::cpu
