// SPDX-License-Identifier: Apache-2.0
// See device.h.
#include "device.h"

namespace fisher_select::cuda {

Device::Device(int index, cudaStream_t callers_stream) {
    check(cudaGetDevice(&previous_), "tell the current device");
    check(cudaSetDevice(index), "switch to the arrays' device");
    check(cudaDeviceGetAttribute(&multiprocessors_, cudaDevAttrMultiProcessorCount, index),
          "count the multiprocessors");
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "create a stream");
    cudaEvent_t before = nullptr;
    check(cudaEventCreateWithFlags(&before, cudaEventDisableTiming), "create an event");
    check(cudaEventRecord(before, callers_stream), "mark the caller's stream");
    check(cudaStreamWaitEvent(stream_, before, 0), "wait for the caller's stream");
    check(cudaEventDestroy(before), "destroy an event");
}

Device::~Device() {
    // Nothing to be done about failures here; those of kernels have surfaced before.
    static_cast<void>(cudaStreamSynchronize(stream_));
    if (blas_ != nullptr) static_cast<void>(cublasDestroy(blas_));
    static_cast<void>(cudaStreamDestroy(stream_));
    static_cast<void>(cudaSetDevice(previous_));
}

cublasHandle_t Device::blas() const {
    if (blas_ == nullptr) {
        check(cublasCreate(&blas_), "start cuBLAS");
        check(cublasSetStream(blas_, stream_), "give cuBLAS a stream");
        check(cublasSetMathMode(blas_, CUBLAS_PEDANTIC_MATH), "keep cuBLAS to float32");
    }
    return blas_;
}

double Device::free_bytes() const {
    size_t available = 0, total = 0;
    check(cudaMemGetInfo(&available, &total), "tell the free memory");
    return static_cast<double>(available);
}

void Device::synchronize() const { check(cudaStreamSynchronize(stream_), "finish its work"); }

}  // namespace fisher_select::cuda
