// SPDX-License-Identifier: Apache-2.0
// Kernels that are asked for again and again, launched as a whole: they cost what they take,
// not what their launches do (2 us each).
#pragma once

#include <cuda_runtime.h>

#include "check.h"
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
        static_cast<void>(cudaGraphDestroy(graph));
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

}  // namespace fisher_select::cuda
