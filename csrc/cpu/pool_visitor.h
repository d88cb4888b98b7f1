// SPDX-License-Identifier: Apache-2.0
// Scores a few candidates of a pool, wherever they lie, where a sweep would take them all. One
// visitor a thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "buffer.h"
#include "pool_kernels.h"
#include "pool_state.h"
#include "quadratic_forms.h"
#include "scattered_rows.h"
#include "subspace_screen.h"

namespace fisher_select::cpu {

class PoolVisitor {
public:
    static constexpr int64_t kMost = 256;  // candidates of one visit

    /// The pool lies in Layout::rows.
    explicit PoolVisitor(PoolState<float>& pool);

    /// Applies `picks` commits to `count` <= kMost candidates and scores them. `panels`
    /// [picks, columns, length] are scaled, oldest first. A commit costs what it costs a sweep,
    /// a candidate; a visit reads the candidate's row once, and reads and writes its state
    /// once.
    void visit(const int64_t* candidates, int64_t count, const float* panels, int64_t picks);

    /// State and scores from Q and P, of which `packed` is a copy: what a reset makes of all.
    void reset(const int64_t* candidates, int64_t count, const Information& information,
               const PackedBlocks<float>& packed);

    /// Scores that are nearly those of a reset, by q directions; the state of the candidates is
    /// not touched.
    void screen(const int64_t* candidates, int64_t count, const SubspaceScreen& screen,
                int64_t q, float* scores);

private:
    void gather_rows(const int64_t* candidates, int64_t count);
    template <class ForArrays, class Move>
    void for_candidates(const int64_t* candidates, int64_t count, const ForArrays& for_arrays,
                        const Move& move);
    template <class ForArrays>
    void gather(const int64_t* candidates, int64_t count, const ForArrays& for_arrays);
    void scatter_state(const int64_t* candidates, int64_t count);
    const float* rows_of(int64_t slot) const;

    PoolState<float>& pool_;
    int64_t stride_;           // of products, padded against cache aliasing
    ScatteredRows scattered_;  // of the factors
    std::vector<int64_t> rows_;
    Buffer<float> x_;         // [slots, kMost, length]
    Buffer<float> products_;  // [slots, columns, stride]
    Buffer<float> work_;
    PoolArrays<float> lanes_;  // the candidates' own, a lane each

    std::unique_ptr<QuadraticForms<float>> forms_;  // of a reset
    Buffer<float> coordinates_, screened_;          // of a screen: its work, its products
};

}  // namespace fisher_select::cpu
