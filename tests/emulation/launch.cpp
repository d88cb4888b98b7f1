// SPDX-License-Identifier: Apache-2.0
// Launches: refused as CUDA refuses them, else queued.
#include <sys/mman.h>

#include <map>

#include "arena.h"
#include "cuda_runtime.h"
#include "last_error.h"
#include "module.h"
#include "page_locked.h"
#include "queue.h"
#include "shared_memory.h"

namespace emulation {
namespace {

/// Dynamic shared memory that was asked for, by kernel.
std::map<const void*, size_t>& opted_in() {
    static auto* const sizes = new std::map<const void*, size_t>;
    return *sizes;
}

size_t shared_limit(const void* kernel) {
    const auto found = opted_in().find(kernel);
    return found == opted_in().end() ? kSharedMemoryDefault : found->second;
}

constexpr int64_t kMaxThreads = 1024, kMaxThreadsZ = 64;
constexpr int64_t kMaxGridX = 2147483647, kMaxGridYZ = 65535;

bool is_valid(const dim3& grid, const dim3& block) {
    const int64_t threads = int64_t{block.x} * block.y * block.z;
    return threads >= 1 && threads <= kMaxThreads && block.z <= kMaxThreadsZ && grid.x >= 1 &&
           grid.y >= 1 && grid.z >= 1 && grid.x <= kMaxGridX && grid.y <= kMaxGridYZ &&
           grid.z <= kMaxGridYZ;
}

bool is_mapped(const void* address) {
    const auto page = reinterpret_cast<uintptr_t>(address) & ~uintptr_t{4095};
    unsigned char resident = 0;
    return mincore(reinterpret_cast<void*>(page), 1, &resident) == 0;
}

}  // namespace

void check_pointer(const void* kernel, const void* address) {
    if (address == nullptr || is_device(address) || is_page_locked(address) ||
        !is_mapped(address))
        return;
    char text[32];
    std::snprintf(text, sizeof text, "%p", address);
    fatal("an argument of kernel " + symbol_name(kernel) + " holds " + text +
          ", which is memory of the host");
}

}  // namespace emulation

using emulation::remember;

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
    const std::lock_guard lock(emulation::api_lock());
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize || value < 0 ||
        static_cast<size_t>(value) > emulation::kSharedMemoryOptIn)
        return remember(cudaErrorInvalidValue);
    emulation::opted_in()[kernel] = static_cast<size_t>(value);
    return cudaSuccess;
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void*,
                                                          int block_size, size_t shared_bytes) {
    if (block_size < 1) return remember(cudaErrorInvalidValue);
    const size_t by_threads = 2048 / static_cast<size_t>(block_size);
    const size_t by_shared = emulation::kSharedMemoryOptIn / std::max<size_t>(shared_bytes, 1);
    *blocks = static_cast<int>(std::min({by_threads, by_shared, size_t{32}}));
    return cudaSuccess;
}

cudaError_t fs_emulation_launch(const cudaLaunchConfig_t& config, const void* kernel,
                                std::function<void()> body) {
    const std::lock_guard lock(emulation::api_lock());
    if (!emulation::is_stream(config.stream)) return remember(cudaErrorInvalidResourceHandle);
    if (!emulation::is_valid(config.gridDim, config.blockDim))
        return remember(cudaErrorInvalidConfiguration);
    if (config.dynamicSmemBytes > emulation::shared_limit(kernel))
        return remember(cudaErrorInvalidValue);
    const dim3 &grid = config.gridDim, &block = config.blockDim;
    emulation::enqueue(config.stream, [launch = emulation::Launch{kernel,
                                                                  {grid.x, grid.y, grid.z},
                                                                  {block.x, block.y, block.z},
                                                                  config.dynamicSmemBytes,
                                                                  std::move(body)}] {
        emulation::run_grid(launch);
    });
    return cudaSuccess;
}
