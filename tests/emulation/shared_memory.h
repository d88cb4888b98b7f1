// SPDX-License-Identifier: Apache-2.0
// Shared memory of the block that runs.
#pragma once

#include <cstddef>

namespace emulation {

constexpr size_t kSharedMemoryDefault = size_t{48} << 10;  // a block may have unasked
constexpr size_t kSharedMemoryOptIn = size_t{227} << 10;   // at most, when asked for
constexpr unsigned char kSpoiled = 0xff;  // bytes never written: NaN, -1, no pointer

/// Overwrites what an earlier block left, in static arrays and in `dynamic_bytes` of dynamic
/// ones: reading what was never written shows. To be called on the thread that runs kernels.
void spoil_shared_memory(size_t dynamic_bytes);

/// Does it lie behind the dynamic array of the block that runs?
bool beyond_dynamic_shared(const void* address);

}  // namespace emulation
