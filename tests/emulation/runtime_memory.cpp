// SPDX-License-Identifier: Apache-2.0
// Memory calls of the runtime API.
#include <cstring>
#include <map>
#include <vector>

#include "arena.h"
#include "cuda_runtime.h"
#include "last_error.h"
#include "page_locked.h"
#include "queue.h"

namespace emulation {
namespace {

std::map<const std::byte*, size_t>& page_locked() {
    static auto* const found = new std::map<const std::byte*, size_t>;
    return *found;
}

/// Frees that were asked for: whoever gets the addresses next has to wait for them.
std::vector<WorkNumber>& pending_frees() {
    static auto* const numbers = new std::vector<WorkNumber>;
    std::erase_if(*numbers, is_done);
    return *numbers;
}

struct Copy {
    void* to;
    size_t to_pitch;
    const void* from;
    size_t from_pitch, width, height;

    void run() const {
        for (size_t row = 0; row < height; ++row)
            std::memcpy(static_cast<std::byte*>(to) + row * to_pitch,
                        static_cast<const std::byte*>(from) + row * from_pitch, width);
    }
    size_t span(size_t pitch) const { return height == 0 ? 0 : (height - 1) * pitch + width; }
};

int current_device() {
    int device = 0;
    cudaGetDevice(&device);
    return device;
}

bool is_direction(cudaMemcpyKind kind, bool from_device, bool to_device) {
    switch (kind) {
        case cudaMemcpyHostToHost: return !from_device && !to_device;
        case cudaMemcpyHostToDevice: return !from_device && to_device;
        case cudaMemcpyDeviceToHost: return from_device && !to_device;
        case cudaMemcpyDeviceToDevice: return from_device && to_device;
        case cudaMemcpyDefault: return true;
    }
    return false;
}

cudaError_t copy(Copy wanted, cudaMemcpyKind kind, CUstream_st* stream) {
    const bool from_device = is_device(wanted.from), to_device = is_device(wanted.to);
    if (!is_stream(stream)) return cudaErrorInvalidResourceHandle;
    if (wanted.to_pitch < wanted.width || wanted.from_pitch < wanted.width)
        return cudaErrorInvalidPitchValue;
    if (wanted.width == 0 || wanted.height == 0) return cudaSuccess;
    if (!is_direction(kind, from_device, to_device)) return cudaErrorInvalidValue;
    if (from_device && !is_allocated(wanted.from, wanted.span(wanted.from_pitch)))
        return cudaErrorInvalidValue;
    if (to_device && !is_allocated(wanted.to, wanted.span(wanted.to_pitch)))
        return cudaErrorInvalidValue;
    if (from_device || is_page_locked(wanted.from) || is_capturing(stream)) {
        enqueue(stream, [wanted] { wanted.run(); });
        return cudaSuccess;
    }
    // Pageable memory of the host is read before the call returns.
    const auto* begin = static_cast<const std::byte*>(wanted.from);
    std::vector<std::byte> staged(begin, begin + wanted.span(wanted.from_pitch));
    enqueue(stream, [wanted, staged = std::move(staged)]() mutable {
        wanted.from = staged.data();
        wanted.run();
    });
    return cudaSuccess;
}

cudaError_t fill(void* address, size_t pitch, int value, size_t width, size_t height,
                 CUstream_st* stream) {
    if (!is_stream(stream)) return cudaErrorInvalidResourceHandle;
    if (width == 0 || height == 0) return cudaSuccess;
    if (pitch < width || !is_allocated(address, (height - 1) * pitch + width))
        return cudaErrorInvalidValue;
    enqueue(stream, [=] {
        for (size_t row = 0; row < height; ++row)
            std::memset(static_cast<std::byte*>(address) + row * pitch, value, width);
    });
    return cudaSuccess;
}

}  // namespace

bool is_page_locked(const void* address) {
    const auto* at = static_cast<const std::byte*>(address);
    auto next = page_locked().upper_bound(at);
    return next != page_locked().begin() && (--next, at < next->first + next->second);
}

}  // namespace emulation

using emulation::remember;
using Lock = std::lock_guard<std::mutex>;

cudaError_t cudaMalloc(void** address, size_t bytes) {
    const Lock lock(emulation::api_lock());
    if (emulation::is_any_capturing()) return remember(cudaErrorStreamCaptureUnsupported);
    *address =
        bytes == 0 ? nullptr : emulation::allocate_device(bytes, emulation::current_device());
    if (bytes == 0) return cudaSuccess;
    if (*address == nullptr) return remember(cudaErrorMemoryAllocation);
    for (const emulation::WorkNumber number : emulation::pending_frees())
        emulation::finish(number);
    emulation::run_now([=] { emulation::spoil_device(*address, bytes, false); });
    return cudaSuccess;
}

cudaError_t cudaMallocAsync(void** address, size_t bytes, cudaStream_t stream) {
    const Lock lock(emulation::api_lock());
    if (!emulation::is_stream(stream)) return remember(cudaErrorInvalidResourceHandle);
    if (emulation::is_capturing(stream)) return remember(cudaErrorStreamCaptureUnsupported);
    *address =
        bytes == 0 ? nullptr : emulation::allocate_device(bytes, emulation::current_device());
    if (bytes == 0) return cudaSuccess;
    if (*address == nullptr) return remember(cudaErrorMemoryAllocation);
    emulation::enqueue(
        stream, [begin = *address, bytes] { emulation::spoil_device(begin, bytes, false); },
        emulation::pending_frees());
    return cudaSuccess;
}

cudaError_t cudaMallocHost(void** address, size_t bytes) {
    const Lock lock(emulation::api_lock());
    auto* created = new (std::nothrow) std::byte[bytes];
    if (created == nullptr) return remember(cudaErrorMemoryAllocation);
    std::memset(created, 0xff, bytes);
    emulation::page_locked()[created] = bytes;
    *address = created;
    return cudaSuccess;
}

cudaError_t cudaHostAlloc(void** address, size_t bytes, unsigned) {
    return cudaMallocHost(address, bytes);
}

cudaError_t cudaFree(void* address) {
    const Lock lock(emulation::api_lock());
    if (emulation::is_any_capturing()) return remember(cudaErrorStreamCaptureUnsupported);
    emulation::finish_all();
    if (address == nullptr) return cudaSuccess;
    const size_t bytes = emulation::allocated_bytes(address);
    if (!emulation::release_device(address)) return remember(cudaErrorInvalidValue);
    emulation::run_now([=] { emulation::spoil_device(address, bytes, true); });
    return cudaSuccess;
}

cudaError_t cudaFreeAsync(void* address, cudaStream_t stream) {
    const Lock lock(emulation::api_lock());
    if (!emulation::is_stream(stream)) return remember(cudaErrorInvalidResourceHandle);
    if (emulation::is_capturing(stream)) return remember(cudaErrorStreamCaptureUnsupported);
    const size_t bytes = emulation::allocated_bytes(address);
    if (!emulation::release_device(address)) return remember(cudaErrorInvalidValue);
    emulation::pending_frees().push_back(
        emulation::enqueue(stream, [=] { emulation::spoil_device(address, bytes, true); }));
    return cudaSuccess;
}

cudaError_t cudaFreeHost(void* address) {
    const Lock lock(emulation::api_lock());
    auto* begin = static_cast<std::byte*>(address);
    if (address == nullptr) return cudaSuccess;
    if (emulation::page_locked().erase(begin) == 0) return remember(cudaErrorInvalidValue);
    emulation::finish_all();
    delete[] begin;
    return cudaSuccess;
}

cudaError_t cudaHostRegister(void* address, size_t bytes, unsigned) {
    const Lock lock(emulation::api_lock());
    if (address == nullptr || bytes == 0) return remember(cudaErrorInvalidValue);
    emulation::page_locked()[static_cast<std::byte*>(address)] = bytes;
    return cudaSuccess;
}

cudaError_t cudaHostUnregister(void* address) {
    const Lock lock(emulation::api_lock());
    if (emulation::page_locked().erase(static_cast<std::byte*>(address)) == 0)
        return remember(cudaErrorInvalidValue);
    emulation::finish_all();
    return cudaSuccess;
}

cudaError_t cudaHostGetDevicePointer(void** on_device, void* address, unsigned) {
    const Lock lock(emulation::api_lock());
    if (!emulation::is_page_locked(address)) return remember(cudaErrorInvalidValue);
    *on_device = address;
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t* available, size_t* total) {
    const Lock lock(emulation::api_lock());
    *available = emulation::device_memory_free();
    *total = emulation::device_memory_total();
    return cudaSuccess;
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* address) {
    const Lock lock(emulation::api_lock());
    void* pointer = const_cast<void*>(address);
    if (emulation::is_allocated(address, 1))
        *attributes = {cudaMemoryTypeDevice, emulation::device_of(address), pointer, nullptr};
    else if (emulation::is_page_locked(address))
        *attributes = {cudaMemoryTypeHost, 0, pointer, pointer};
    else
        *attributes = {cudaMemoryTypeUnregistered, -1, nullptr, pointer};
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
    const Lock lock(emulation::api_lock());
    return remember(emulation::copy({to, bytes, from, bytes, bytes, 1}, kind, stream));
}

cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch,
                              size_t width, size_t height, cudaMemcpyKind kind,
                              cudaStream_t stream) {
    const Lock lock(emulation::api_lock());
    return remember(
        emulation::copy({to, to_pitch, from, from_pitch, width, height}, kind, stream));
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
    const Lock lock(emulation::api_lock());
    if (emulation::is_any_capturing()) return remember(cudaErrorStreamCaptureUnsupported);
    const cudaError_t status =
        emulation::copy({to, bytes, from, bytes, bytes, 1}, kind, nullptr);
    emulation::finish(emulation::last_of(nullptr));
    return remember(status);
}

cudaError_t cudaMemsetAsync(void* address, int value, size_t bytes, cudaStream_t stream) {
    const Lock lock(emulation::api_lock());
    return remember(emulation::fill(address, bytes, value, bytes, 1, stream));
}

cudaError_t cudaMemset(void* address, int value, size_t bytes) {
    const Lock lock(emulation::api_lock());
    return remember(emulation::fill(address, bytes, value, bytes, 1, nullptr));
}

cudaError_t cudaMemset2DAsync(void* address, size_t pitch, int value, size_t width,
                              size_t height, cudaStream_t stream) {
    const Lock lock(emulation::api_lock());
    return remember(emulation::fill(address, pitch, value, width, height, stream));
}
