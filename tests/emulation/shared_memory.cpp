// SPDX-License-Identifier: Apache-2.0
// See shared_memory.h. Static arrays are thread-local variables (cuda_runtime.h): the linker
// lays those of all kernels side by side, so they can be found and overwritten as one span.
#include "shared_memory.h"

#include <link.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>

#include "block.h"

namespace emulation {
namespace {

constexpr size_t kGuardBytes = 4096;
constexpr size_t kRoom = (kSharedMemoryOptIn + kGuardBytes - 1) / kGuardBytes * kGuardBytes;

size_t dynamic_bytes_now = 0;

thread_local volatile unsigned char anchor = 0;  // makes the loader allocate the span

/// The dynamic array ends where an unreadable page begins.
std::byte* dynamic_end() {
    static std::byte* const end = [] {
        void* mapped = mmap(nullptr, kRoom + kGuardBytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (mapped == MAP_FAILED) fatal("no memory for shared memory");
        std::byte* guard = static_cast<std::byte*>(mapped) + kRoom;
        if (mprotect(guard, kGuardBytes, PROT_NONE) != 0) fatal("mprotect failed");
        return guard;
    }();
    return end;
}

/// Does this executable or library hold the address?
bool holds(const dl_phdr_info& module, uintptr_t address) {
    for (int i = 0; i < module.dlpi_phnum; ++i) {
        const ElfW(Phdr) & part = module.dlpi_phdr[i];
        const uintptr_t begin = module.dlpi_addr + part.p_vaddr;
        if (part.p_type == PT_LOAD && address >= begin && address < begin + part.p_memsz)
            return true;
    }
    return false;
}

/// The thread-local variables of this module on the calling thread.
std::span<unsigned char> thread_locals() {
    anchor = 0;
    std::span<unsigned char> found;
    dl_iterate_phdr(
        [](dl_phdr_info* module, size_t, void* result) {
            if (!holds(*module, reinterpret_cast<uintptr_t>(&dynamic_end))) return 0;
            for (int i = 0; i < module->dlpi_phnum; ++i)
                if (module->dlpi_phdr[i].p_type == PT_TLS)
                    *static_cast<std::span<unsigned char>*>(result) = {
                        static_cast<unsigned char*>(module->dlpi_tls_data),
                        module->dlpi_phdr[i].p_memsz};
            return 1;
        },
        &found);
    return found;
}

}  // namespace

void spoil_shared_memory(size_t dynamic_bytes) {
    static const std::span<unsigned char> static_arrays = thread_locals();
    std::memset(static_arrays.data(), kSpoiled, static_arrays.size());
    dynamic_bytes_now = (dynamic_bytes + 15) / 16 * 16;
    std::memset(dynamic_end() - dynamic_bytes_now, kSpoiled, dynamic_bytes_now);
}

void* dynamic_shared() { return dynamic_end() - dynamic_bytes_now; }

bool beyond_dynamic_shared(const void* address) {
    const auto at = static_cast<const std::byte*>(address);
    return at >= dynamic_end() && at < dynamic_end() + kGuardBytes;
}

}  // namespace emulation
