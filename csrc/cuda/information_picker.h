// SPDX-License-Identifier: Apache-2.0
// A picker of the greedy driver for objectives of information on a device. Picks are enqueued
// by the dozen and follow one another there; the host looks when a batch is done.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "device.h"
#include "device_rows.h"
#include "exact.h"
#include "factors.h"
#include "graph.h"
#include "greedy.h"
#include "information.h"
#include "information_options.h"
#include "memory.h"
#include "pick_state.h"
#include "pool_state.h"

namespace fisher_select::cuda {

class InformationPicker {
public:
    /// `information` must be refreshed; the problem's rows lie on the host.
    InformationPicker(const Device& device, const Factors& factors, Information& information,
                      const StageProblem& problem);

    Advance advance(int64_t most, bool even_if_worn);
    void refresh(int64_t step);
    bool raise_precision(int64_t step);
    double max_drift() const { return max_drift_; }

    /// Adds what was committed to M, for the next stage's refresh.
    void settle();
    /// tr(M^-1 F), or log det M, after each commit.
    const std::vector<double>& path() const { return path_; }

private:
    static constexpr int64_t kBatch = 32;  // picks enqueued before the host looks

    double resolution() const;
    void rebuild_state();
    template <class T>
    void enqueue_pick(PoolState<T>& pool, int64_t slot, bool crowded, bool even_if_worn);
    /// Launches the kernels of `count` picks, one by one.
    void enqueue(int64_t count, bool crowded, bool even_if_worn);
    /// The same for picks without a doubt, which the next batches repeat.
    void enqueue_graph(int64_t count);
    /// Waits for what was enqueued, and books it.
    int collect(Advance& advance);

    const Device& device_;
    const Factors& factors_;
    std::vector<int64_t> host_rows_;  // empty: all, in order
    DeviceRows rows_;
    Information& information_;
    PoolOptions options_;
    Precision precision_;
    double rtol_, max_drift_ = 0.0;
    std::unique_ptr<PoolState<float>> single_;
    std::unique_ptr<PoolState<double>> double_;
    DeviceBuffer<char> taken_;
    DeviceBuffer<double> best_;  // of each block of the screen
    DeviceBuffer<PickState> state_;
    DeviceBuffer<Pick> found_;  // [kBatch]
    std::unique_ptr<Evaluator> evaluator_;
    int64_t pending_ = 0;             // updates not yet in Q and P
    bool update_pending_ = false;     // the last panel has not reached the pool's state
    bool fresh_ = true;               // no pick since the state was rebuilt
    std::vector<int64_t> committed_;  // rows not yet in M
    std::vector<double> path_;

    /// What tells the kernels of one batch from those of another.
    struct Batch {
        int64_t pending, count;
        bool update_pending;
        auto operator<=>(const Batch&) const = default;
    };
    std::map<Batch, std::unique_ptr<Graph>> graphs_;  // no graph: launched once so far
};

}  // namespace fisher_select::cuda
