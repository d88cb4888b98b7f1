// SPDX-License-Identifier: Apache-2.0
// Kernel launches: one checked way for all. Launching by a function call rather than by <<<>>>
// also lets a plain C++ compiler read the kernels, which tests/emulation does.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>

#include "check.h"
#include "device.h"
#include "portable.h"

/// The dynamic shared memory of a kernel as an array of T.
#if !defined(FS_DYNAMIC_SHARED)
#    define FS_DYNAMIC_SHARED(T, name)                             \
        extern __shared__ __align__(16) unsigned char fs_shared[]; \
        T* name = reinterpret_cast<T*>(fs_shared)
#endif

namespace fisher_select::cuda {

constexpr int kWarp = 32;
constexpr int kThreads = 256;  // of a block, where nothing speaks for another size

struct Grid {
    int64_t blocks = 1;
    int threads = kThreads;
    int64_t shared_bytes = 0;
    int64_t blocks_y = 1;
};

/// Blocks for one thread an item.
inline Grid one_thread_each(int64_t items, int threads = kThreads) {
    return {std::max<int64_t>(1, ceil_div(items, threads)), threads};
}

template <class... Parameters, class... Arguments>
void launch(const Device& device, const char* asked, const Grid& grid,
            void (*kernel)(Parameters...), Arguments... arguments) {
    cudaLaunchConfig_t config{};
    config.gridDim =
        dim3(static_cast<unsigned>(grid.blocks), static_cast<unsigned>(grid.blocks_y));
    config.blockDim = dim3(static_cast<unsigned>(grid.threads));
    config.dynamicSmemBytes = static_cast<size_t>(grid.shared_bytes);
    config.stream = device.stream();
    constexpr int64_t kDefaultShared = 48 * 1024;  // more has to be asked for
    if (grid.shared_bytes > kDefaultShared)
        check(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                   cudaFuncAttributeMaxDynamicSharedMemorySize,
                                   static_cast<int>(grid.shared_bytes)),
              asked);
    check(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...), asked);
}

}  // namespace fisher_select::cuda
