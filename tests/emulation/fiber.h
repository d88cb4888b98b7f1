// SPDX-License-Identifier: Apache-2.0
// Stacks that take turns on one thread of the operating system: a CUDA thread each.
#pragma once

#include <cstddef>

namespace emulation {

class Fiber {
public:
    Fiber() = default;
    Fiber(const Fiber&) = delete;
    Fiber& operator=(const Fiber&) = delete;

    /// Prepares a run of body(argument) on a stack of its own, which is kept from run to run.
    void start(void (*body)(void*), void* argument);
    /// Runs it from where it stood until it pauses or ends. Called outside of any fiber.
    void resume();
    /// Inside a fiber: back to resume().
    static void pause();
    bool ended() const { return ended_; }

private:
    [[noreturn]] static void enter();
    void leave(bool for_good);

    std::byte* stack_ = nullptr;  // [kStackBytes], a guard page below
    size_t colour_ = 0;           // bytes left unused at its top
    void* stack_pointer_ = nullptr;
    void* fake_stack_ = nullptr;  // of the address sanitizer
    void (*body_)(void*) = nullptr;
    void* argument_ = nullptr;
    bool ended_ = true;
};

}  // namespace emulation
