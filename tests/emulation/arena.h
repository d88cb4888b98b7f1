// SPDX-License-Identifier: Apache-2.0
// Device memory: one range of addresses, unreadable except while the device works.
#pragma once

#include <cstddef>

namespace emulation {

/// nullptr where FS_EMULATION_MEMORY (bytes; 1 GiB unless set) does not suffice. All devices
/// share the memory; each allocation remembers whose it is.
void* allocate_device(size_t bytes, int device);
/// Bytes at `address`, if an allocation that lives begins there; 0 otherwise.
size_t allocated_bytes(const void* address);
/// The addresses are free for the next allocation. False: no allocation begins there.
bool release_device(void* address);

/// Overwrites what an allocation (or one that was freed) holds with bytes that show. The
/// address sanitizer from then on reports whoever reads freed memory. While the device works.
void spoil_device(void* address, size_t bytes, bool freed);

/// Does an address lie in device memory at all, allocated or not?
bool is_device(const void* address);
/// Does [address, address + bytes) lie in one living allocation?
bool is_allocated(const void* address, size_t bytes);
/// The device of the living allocation that an address lies in.
int device_of(const void* address);

size_t device_memory_total();
size_t device_memory_free();

/// The host has no access outside of these two: touching device memory ends the process with a
/// message that says so.
void open_device_memory();
void close_device_memory();

}  // namespace emulation
