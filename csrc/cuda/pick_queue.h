// SPDX-License-Identifier: Apache-2.0
// Many short picks without a word to the host: the kernels of some picks are captured into a
// graph once and launched as a whole, so a pick costs what its kernels take, not what their
// launches do (2 us each). State lives on the device.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>

#include "check.h"
#include "context.h"
#include "device.h"
#include "graph.h"
#include "portable.h"

namespace fisher_select::cuda {

/// A place in a stream that the host can wait for.
class Mark {
public:
    Mark() {
        check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "create an event");
    }
    ~Mark() { static_cast<void>(cudaEventDestroy(event_)); }
    Mark(const Mark&) = delete;
    Mark& operator=(const Mark&) = delete;

    void set(const Device& device) {
        check(cudaEventRecord(event_, device.stream()), "mark a stream");
    }
    void wait() { check(cudaEventSynchronize(event_), "finish a part of its work"); }

private:
    cudaEvent_t event_ = nullptr;
};

/// Asks for enqueue(0), ..., enqueue(count - 1), and calls finished(i) when the device has done
/// part i. The host is one part ahead, so the device never waits for it, and Ctrl-C waits for
/// two parts at the most.
template <class Enqueue, class Finished>
void run_ahead(const Device& device, const Context& context, int64_t count,
               const Enqueue& enqueue, const Finished& finished) {
    Mark marks[2];
    for (int64_t part = 0; part < count; ++part) {
        enqueue(part);
        marks[part % 2].set(device);
        if (part > 0) {
            marks[(part - 1) % 2].wait();
            finished(part - 1);
        }
        context.poll();
    }
    device.synchronize();
    if (count > 0) finished(count - 1);
}

/// Runs picks [done, total). enqueue_pick() launches the kernels of one pick; those of picks
/// beyond the total must do nothing.
template <class EnqueuePick>
void run_picks(const Device& device, const Context& context, int64_t done, int64_t total,
               const EnqueuePick& enqueue_pick) {
    constexpr int64_t kMostPicks = 32;
    if (done >= total) return;
    const int64_t picks = std::min(kMostPicks, total - done);
    const Graph graph(device, [&] {
        for (int64_t pick = 0; pick < picks; ++pick) enqueue_pick();
    });
    run_ahead(
        device, context, ceil_div(total - done, picks), [&](int64_t) { graph.launch(device); },
        [&](int64_t part) {
            context.progress("pick", std::min(total, done + (part + 1) * picks), total);
        });
}

}  // namespace fisher_select::cuda
