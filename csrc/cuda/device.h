// SPDX-License-Identifier: Apache-2.0
// One device, a stream of our own on it and its cuBLAS handle: what every CUDA operation runs
// on.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "check.h"

namespace fisher_select::cuda {

/// Makes its device the current one, and the caller's current again at the end. Work begins
/// after all that the caller's stream was given before, and ends before the destructor returns:
/// a stream of our own may be captured into a graph, which the default stream may not.
class Device {
public:
    Device(int index, cudaStream_t callers_stream);
    ~Device();
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    cudaStream_t stream() const { return stream_; }
    /// Started at the first call, which must not be in a graph: many operations need none.
    cublasHandle_t blas() const;
    int multiprocessors() const { return multiprocessors_; }
    /// Bytes that may still be allocated, about.
    double free_bytes() const;
    /// Waits for everything that was asked of the stream; errors of kernels surface here.
    void synchronize() const;

private:
    int previous_ = 0, multiprocessors_ = 1;
    cudaStream_t stream_ = nullptr;
    mutable cublasHandle_t blas_ = nullptr;
};

}  // namespace fisher_select::cuda
