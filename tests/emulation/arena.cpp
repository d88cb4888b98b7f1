// SPDX-License-Identifier: Apache-2.0
// See arena.h.
#include "arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "block.h"
#include "shared_memory.h"

#if defined(__SANITIZE_ADDRESS__)
#    include <sanitizer/asan_interface.h>
#else
#    define ASAN_POISON_MEMORY_REGION(address, bytes) (static_cast<void>(0))
#    define ASAN_UNPOISON_MEMORY_REGION(address, bytes) (static_cast<void>(0))
#endif

namespace emulation {
namespace {

constexpr size_t kReserved = size_t{64} << 30;  // addresses, not memory
constexpr size_t kAlignment = 256;              // of cudaMalloc, and the gap behind each

struct Allocation {
    size_t bytes;  // asked for
    int device;
};

struct Arena {
    std::byte* base = nullptr;
    size_t high_water = 0;  // nothing above was ever allocated
    bool open = false;
    std::map<size_t, Allocation> living;  // by offset
    struct sigaction before{};            // who handled faults
};

Arena& arena();

size_t room(size_t bytes) {
    return (std::max<size_t>(bytes, 1) + kAlignment - 1) / kAlignment * kAlignment + kAlignment;
}

size_t used() {
    size_t sum = 0;
    for (const auto& [offset, taken] : arena().living) sum += room(taken.bytes);
    return sum;
}

void protect(int access) {
    Arena& memory = arena();
    const size_t bytes = (memory.high_water + 4095) / 4096 * 4096;
    if (bytes > 0 && mprotect(memory.base, bytes, access) != 0) fatal("mprotect failed");
    memory.open = access != PROT_NONE;
}

/// Says what a fault means; then whoever handled faults before does so again.
void on_fault(int, siginfo_t* info, void*) {
    const std::string place = describe_running();
    if (is_device(info->si_addr) && !arena().open)
        std::fprintf(stderr,
                     "CUDA emulation: the host touches device memory at %p; only kernels and "
                     "copies may\n",
                     info->si_addr);
    else if (!place.empty())
        std::fprintf(stderr, "CUDA emulation: %s: illegal address %p%s\n", place.c_str(),
                     info->si_addr,
                     beyond_dynamic_shared(info->si_addr)
                         ? ", beyond the dynamic shared memory of this launch"
                         : "");
    std::fflush(stderr);
    sigaction(SIGSEGV, &arena().before, nullptr);
}

Arena& arena() {
    static Arena* const memory = [] {
        auto* created = new Arena;  // never destroyed: the device thread may outlive main()
        void* mapped = mmap(nullptr, kReserved, PROT_NONE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (mapped == MAP_FAILED) fatal("no addresses for device memory");
        created->base = static_cast<std::byte*>(mapped);
        struct sigaction action{};
        action.sa_sigaction = on_fault;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK;
        sigaction(SIGSEGV, &action, &created->before);
        return created;
    }();
    return *memory;
}

size_t offset_of(const void* address) {
    return static_cast<size_t>(static_cast<const std::byte*>(address) - arena().base);
}

}  // namespace

size_t device_memory_total() {
    const char* text = std::getenv("FS_EMULATION_MEMORY");
    const size_t wanted = text == nullptr ? size_t{1} << 30 : std::stoull(text);
    return std::min(wanted, kReserved);
}

size_t device_memory_free() {
    const size_t total = device_memory_total(), taken = used();
    return taken < total ? total - taken : 0;
}

void* allocate_device(size_t bytes, int device) {
    Arena& memory = arena();
    if (bytes > kReserved || room(bytes) > device_memory_free()) return nullptr;
    size_t offset = 0;  // first fit
    for (const auto& [begin, taken] : memory.living) {
        if (begin >= offset + room(bytes)) break;
        offset = begin + room(taken.bytes);
    }
    if (offset + room(bytes) > kReserved) return nullptr;
    memory.living[offset] = {bytes, device};
    memory.high_water = std::max(memory.high_water, offset + room(bytes));
    return memory.base + offset;
}

size_t allocated_bytes(const void* address) {
    if (!is_device(address)) return 0;
    const auto found = arena().living.find(offset_of(address));
    return found == arena().living.end() ? 0 : found->second.bytes;
}

bool release_device(void* address) {
    return is_device(address) && arena().living.erase(offset_of(address)) == 1;
}

void spoil_device(void* address, size_t bytes, bool freed) {
    auto* begin = static_cast<std::byte*>(address);
    ASAN_UNPOISON_MEMORY_REGION(begin, bytes);
    std::memset(begin, kSpoiled, bytes);
    if (freed) ASAN_POISON_MEMORY_REGION(begin, bytes);
    ASAN_POISON_MEMORY_REGION(begin + bytes, room(bytes) - bytes);
}

bool is_device(const void* address) {
    const auto* at = static_cast<const std::byte*>(address);
    return at >= arena().base && at < arena().base + kReserved;
}

bool is_allocated(const void* address, size_t bytes) {
    if (!is_device(address)) return false;
    const size_t offset = offset_of(address);
    auto next = arena().living.upper_bound(offset);
    if (next == arena().living.begin()) return false;
    const auto& [begin, taken] = *--next;
    return offset + bytes <= begin + taken.bytes;
}

int device_of(const void* address) {
    return std::prev(arena().living.upper_bound(offset_of(address)))->second.device;
}

void open_device_memory() { protect(PROT_READ | PROT_WRITE); }
void close_device_memory() { protect(PROT_NONE); }

}  // namespace emulation
