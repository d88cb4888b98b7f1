// SPDX-License-Identifier: Apache-2.0
// Memory of a device that a Python object owns, so that it outlives the call that filled it.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <utility>

#include "cuda/check.h"
#include "error.h"

namespace fisher_select::bindings {

/// Makes a device the current one, and the caller's current again at the end.
class CurrentDevice {
public:
    explicit CurrentDevice(int device) {
        cuda::check(cudaGetDevice(&previous_), "tell the current device");
        cuda::check(cudaSetDevice(device), "switch to the arrays' device");
    }
    ~CurrentDevice() { static_cast<void>(cudaSetDevice(previous_)); }
    CurrentDevice(const CurrentDevice&) = delete;
    CurrentDevice& operator=(const CurrentDevice&) = delete;

private:
    int previous_ = 0;
};

class DeviceMemory {
public:
    DeviceMemory(int device, int64_t bytes) : bytes_(bytes), device_(device) {
        const CurrentDevice current(device);
        const cudaError_t status = cudaMalloc(&data_, static_cast<size_t>(bytes));
        if (status == cudaErrorMemoryAllocation) {
            static_cast<void>(cudaGetLastError());
            throw OutOfMemory("an array on the device", static_cast<double>(bytes),
                              "free memory of the device, or pass arrays of the host");
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
    int device() const { return device_; }

    /// Of all its bytes. What the default stream is given next comes after the copy.
    void upload(const void* from, int64_t bytes) {
        internal_check(bytes == bytes_, "an upload fills its memory");
        const CurrentDevice current(device_);
        cuda::check(cudaMemcpy(data_, from, static_cast<size_t>(bytes), cudaMemcpyHostToDevice),
                    "copy to the device");
    }

private:
    void* data_ = nullptr;
    int64_t bytes_;
    int device_;
};

}  // namespace fisher_select::bindings
