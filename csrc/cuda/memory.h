// SPDX-License-Identifier: Apache-2.0
// Memory of a device, and page-locked memory of the host that copies to and from it run past.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

#include "buffer.h"
#include "check.h"
#include "device.h"
#include "error.h"

namespace fisher_select::cuda {

/// Owned, stream-ordered device memory. Not initialised unless asked.
template <class T>
class DeviceBuffer {
public:
    DeviceBuffer() = default;

    /// `purpose` and `remedy` are the words of the error when memory runs out.
    DeviceBuffer(const Device& device, std::initializer_list<int64_t> shape,
                 const char* purpose, const char* remedy)
        : stream_(device.stream()) {
        size_ = checked_size<T>(shape, purpose, remedy);
        const size_t wanted = bytes(size_);
        const cudaError_t status =
            cudaMallocAsync(reinterpret_cast<void**>(&data_), wanted > 0 ? wanted : 1, stream_);
        if (status == cudaErrorMemoryAllocation) {
            static_cast<void>(cudaGetLastError());
            throw OutOfMemory(purpose, static_cast<double>(wanted), remedy);
        }
        check(status, "allocate memory");
    }
    ~DeviceBuffer() {
        if (data_ != nullptr) static_cast<void>(cudaFreeAsync(data_, stream_));
    }
    DeviceBuffer(DeviceBuffer&& other) noexcept { swap(other); }
    DeviceBuffer& operator=(DeviceBuffer&& other) noexcept {
        swap(other);
        return *this;
    }

    T* data() const { return data_; }
    int64_t size() const { return size_; }
    bool empty() const { return data_ == nullptr; }

    DeviceBuffer& zero() {
        check(cudaMemsetAsync(data_, 0, bytes(size_), stream_), "clear memory");
        return *this;
    }
    /// The host's array is free again when this returns.
    void upload(const T* from, int64_t count, int64_t at = 0) {
        internal_check(at + count <= size_, "an upload fits its buffer");
        check(cudaMemcpyAsync(data_ + at, from, bytes(count), cudaMemcpyHostToDevice, stream_),
              "copy to the device");
        check(cudaStreamSynchronize(stream_), "finish a copy to the device");
    }
    /// Waits for the copy.
    void download(T* to, int64_t count, int64_t at = 0) const {
        internal_check(at + count <= size_, "a download lies in its buffer");
        check(cudaMemcpyAsync(to, data_ + at, bytes(count), cudaMemcpyDeviceToHost, stream_),
              "copy from the device");
        check(cudaStreamSynchronize(stream_), "finish its work");
    }
    std::vector<T> download() const {
        std::vector<T> values(static_cast<size_t>(size_));
        download(values.data(), size_);
        return values;
    }

private:
    static size_t bytes(int64_t count) { return static_cast<size_t>(count) * sizeof(T); }
    void swap(DeviceBuffer& other) {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(stream_, other.stream_);
    }

    T* data_ = nullptr;
    int64_t size_ = 0;
    cudaStream_t stream_ = nullptr;
};

/// An array of the host that kernels read where it lies, for pools beyond the device's memory.
/// The host's array must outlive this.
class MappedArray {
public:
    MappedArray() = default;
    MappedArray(const void* array, int64_t size) : array_(const_cast<void*>(array)) {
        const auto lock = [&](unsigned flags) {
            return cudaHostRegister(array_, static_cast<size_t>(size),
                                    flags | cudaHostRegisterMapped);
        };
        cudaError_t status = lock(0);
        if (status != cudaSuccess) {  // a file that was mapped for reading alone
            static_cast<void>(cudaGetLastError());
            status = lock(cudaHostRegisterReadOnly);
        }
        if (status != cudaSuccess) array_ = nullptr;
        check(status, "map a pool that is larger than half of its free memory");
    }
    ~MappedArray() {
        if (array_ != nullptr) static_cast<void>(cudaHostUnregister(array_));
    }
    MappedArray(MappedArray&& other) noexcept { std::swap(array_, other.array_); }
    MappedArray& operator=(MappedArray&& other) noexcept {
        std::swap(array_, other.array_);
        return *this;
    }

    const void* data() const {
        void* on_device = nullptr;
        check(cudaHostGetDevicePointer(&on_device, array_, 0), "address a mapped pool");
        return on_device;
    }

private:
    void* array_ = nullptr;
};

/// Whether what kernels read there lies in the host's memory.
inline bool is_mapped(const void* data) {
    cudaPointerAttributes attributes{};
    check(cudaPointerGetAttributes(&attributes, data), "tell where an array lies");
    return attributes.type == cudaMemoryTypeHost;
}

}  // namespace fisher_select::cuda
