// SPDX-License-Identifier: Apache-2.0
// The threads of one block: fibers that meet at barriers, shuffles and votes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <source_location>
#include <string>

namespace emulation {

// ------------------------------------------------------------------ called by kernels
/// Waits for all threads of the block; returns in how many of them `predicate` holds.
int block_barrier(const char* name, bool predicate, const std::source_location& where);
/// Waits for the lanes of `mask`; bit i of the result is lane i's predicate.
unsigned vote(const char* name, unsigned mask, bool predicate,
              const std::source_location& where);
/// Waits for the lanes of `mask`; returns the value of lane `source`.
uint64_t exchange(const char* name, unsigned mask, int source, uint64_t value,
                  const std::source_location& where);
int current_lane();
void* dynamic_shared();

// ------------------------------------------------------------------ called by the runtime
struct Extent {
    unsigned x = 1, y = 1, z = 1;
    int64_t count() const { return int64_t{x} * y * z; }
};

struct Launch {
    const void* kernel = nullptr;  // its address, for messages
    Extent grid, block;
    size_t shared_bytes = 0;  // dynamic
    std::function<void()> body;
};

/// Runs all blocks of a launch, one after another, on the calling thread.
void run_grid(const Launch& launch);

/// What runs now, for messages: "kernel ..., block (...), thread (...)", or nothing.
std::string describe_running();

/// Ends the process with a message: what has happened is undefined on a device.
[[noreturn]] void fatal(const std::string& message);

}  // namespace emulation
