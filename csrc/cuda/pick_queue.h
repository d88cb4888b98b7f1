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

namespace fisher_select::cuda {

/// What was asked of the device's stream while it was captured.
class Graph {
public:
    template <class Work>
    Graph(const Device& device, const Work& work) {
        // Other threads, and other users of the device, go on meanwhile.
        check(cudaStreamBeginCapture(device.stream(), cudaStreamCaptureModeThreadLocal),
              "record a graph");
        cudaGraph_t graph = nullptr;
        try {
            work();
        } catch (...) {
            static_cast<void>(cudaStreamEndCapture(device.stream(), &graph));
            if (graph != nullptr) static_cast<void>(cudaGraphDestroy(graph));
            throw;
        }
        check(cudaStreamEndCapture(device.stream(), &graph), "finish a graph");
        const cudaError_t status = cudaGraphInstantiate(&executable_, graph, 0);
        check(cudaGraphDestroy(graph), "destroy a graph's record");
        check(status, "make a graph ready");
    }
    ~Graph() { static_cast<void>(cudaGraphExecDestroy(executable_)); }
    Graph(const Graph&) = delete;
    Graph& operator=(const Graph&) = delete;

    void launch(const Device& device) const {
        check(cudaGraphLaunch(executable_, device.stream()), "launch a graph");
    }

private:
    cudaGraphExec_t executable_ = nullptr;
};

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

/// Runs picks [done, total). enqueue_pick() launches the kernels of one pick; those of picks
/// beyond the total must do nothing. The host is one graph ahead of the device, which so never
/// waits for it, and Ctrl-C never for more than two graphs.
template <class EnqueuePick>
void run_picks(const Device& device, const Context& context, int64_t done, int64_t total,
               const EnqueuePick& enqueue_pick) {
    constexpr int64_t kPicks = 32;
    const int64_t picks = std::min(kPicks, total - done);
    if (picks <= 0) return;
    const Graph graph(device, [&] {
        for (int64_t pick = 0; pick < picks; ++pick) enqueue_pick();
    });
    Mark marks[2];
    const int64_t launches = (total - done + picks - 1) / picks;
    for (int64_t launched = 0; launched < launches; ++launched) {
        graph.launch(device);
        marks[launched % 2].set(device);
        if (launched > 0) {
            marks[(launched - 1) % 2].wait();
            context.progress("pick", done + launched * picks, total);
        }
        context.poll();
    }
    device.synchronize();
    context.progress("pick", total, total);
}

}  // namespace fisher_select::cuda
