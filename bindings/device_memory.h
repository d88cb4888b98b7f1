// SPDX-License-Identifier: Apache-2.0
// Memory of a device that a Python object owns, so that it outlives the call that filled it.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <utility>

#include "cuda/check.h"
#include "error.h"

namespace fisher_select::bindings {

class DeviceMemory {
public:
    DeviceMemory(int device, int64_t bytes) : bytes_(bytes), device_(device) {
        int current = 0;
        cuda::check(cudaGetDevice(&current), "tell the current device");
        cuda::check(cudaSetDevice(device), "switch to the arrays' device");
        const cudaError_t status = cudaMalloc(&data_, static_cast<size_t>(bytes));
        static_cast<void>(cudaSetDevice(current));
        if (status == cudaErrorMemoryAllocation) {
            static_cast<void>(cudaGetLastError());
            throw OutOfMemory("an array on the device", static_cast<double>(bytes),
                              "free memory of the device, or pass arrays of its host");
        }
        cuda::check(status, "allocate memory");
    }
    /// Waits for the device: whoever still reads the memory ends first.
    ~DeviceMemory() { static_cast<void>(cudaFree(data_)); }
    DeviceMemory(DeviceMemory&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)),
          bytes_(other.bytes_),
          device_(other.device_) {}
    DeviceMemory& operator=(DeviceMemory&&) = delete;

    void* data() const { return data_; }
    int64_t bytes() const { return bytes_; }
    int device() const { return device_; }

private:
    void* data_ = nullptr;
    int64_t bytes_;
    int device_;
};

}  // namespace fisher_select::bindings
