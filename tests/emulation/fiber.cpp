// SPDX-License-Identifier: Apache-2.0
// See fiber.h. The switch is written in assembly: swapcontext() makes two system calls, and a
// block reduction switches thousands of times.
#include "fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>

#if defined(__SANITIZE_ADDRESS__)
#    include <sanitizer/common_interface_defs.h>
#endif

#if !defined(__x86_64__)
#    error "the CUDA emulation switches stacks in x86-64 assembly"
#endif

// Saves what a function has to preserve on the stack that is left, and its top in *save.
extern "C" void fs_emulation_switch(void** save, void* restore);
asm(R"(
    .text
    .type fs_emulation_switch, @function
fs_emulation_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size fs_emulation_switch, .-fs_emulation_switch
)");

namespace emulation {
namespace {

constexpr size_t kStackBytes = size_t{256} << 10;
constexpr size_t kGuardBytes = 4096;

// Stacks that all end at a multiple of the page size would share a few sets of the cache.
constexpr size_t kColours = 16, kColourBytes = 256;
size_t stacks_made = 0;

Fiber* running = nullptr;
void* scheduler_stack_pointer = nullptr;

// The address sanitizer has to know on which stack the program stands.
#if defined(__SANITIZE_ADDRESS__)
const void* scheduler_bottom = nullptr;
size_t scheduler_bytes = 0;
void announce(void** fake_stack, const void* bottom, size_t bytes) {
    __sanitizer_start_switch_fiber(fake_stack, bottom, bytes);
}
void arrive(void* fake_stack) { __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr); }
void arrive_first() {
    __sanitizer_finish_switch_fiber(nullptr, &scheduler_bottom, &scheduler_bytes);
}
#else
constexpr const void* scheduler_bottom = nullptr;
constexpr size_t scheduler_bytes = 0;
void announce(void**, const void*, size_t) {}
void arrive(void*) {}
void arrive_first() {}
#endif

}  // namespace

void Fiber::start(void (*body)(void*), void* argument) {
    if (stack_ == nullptr) {
        void* mapped = mmap(nullptr, kGuardBytes + kStackBytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (mapped == MAP_FAILED || mprotect(mapped, kGuardBytes, PROT_NONE) != 0) std::abort();
        stack_ = static_cast<std::byte*>(mapped) + kGuardBytes;
        colour_ = stacks_made++ % kColours * kColourBytes;
    }
    body_ = body;
    argument_ = argument;
    ended_ = false;
    // As if enter() had been called by nobody and had paused: six registers, the address that
    // `ret` goes to, and a zero where its caller would be.
    auto* top = reinterpret_cast<uintptr_t*>(stack_ + kStackBytes - colour_);
    *--top = 0;
    *--top = reinterpret_cast<uintptr_t>(&Fiber::enter);
    for (int i = 0; i < 6; ++i) *--top = 0;
    stack_pointer_ = top;
}

void Fiber::resume() {
    running = this;
    void* fake_stack = nullptr;
    announce(&fake_stack, stack_, kStackBytes);
    fs_emulation_switch(&scheduler_stack_pointer, stack_pointer_);
    arrive(fake_stack);
    running = nullptr;
}

void Fiber::leave(bool for_good) {
    announce(for_good ? nullptr : &fake_stack_, scheduler_bottom, scheduler_bytes);
    fs_emulation_switch(&stack_pointer_, scheduler_stack_pointer);
    arrive(fake_stack_);
}

void Fiber::pause() { running->leave(false); }

__attribute__((no_sanitize("address"))) void Fiber::enter() {
    arrive_first();
    running->body_(running->argument_);
    running->ended_ = true;
    running->leave(true);
    std::abort();  // nobody resumes what has ended
}

}  // namespace emulation
