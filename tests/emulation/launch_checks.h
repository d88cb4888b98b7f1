// SPDX-License-Identifier: Apache-2.0
// No argument of a kernel may point to memory that the host alone can read.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

namespace emulation {

/// Ends the process if `address` is mapped, and neither device memory nor page-locked.
void check_pointer(const void* kernel, const void* address);

template <class T>
void check_argument(const void* kernel, const T& value) {
    static_assert(std::is_trivially_copyable_v<T>, "arguments of kernels are copied as bytes");
    if constexpr (std::is_pointer_v<T>) {
        check_pointer(kernel, value);
    } else if constexpr (std::is_class_v<T> && alignof(T) >= alignof(void*)) {
        // Views: any word of theirs that looks like an address has to be one of the device.
        // Padding holds whatever lay there before.
        T copy = value;
        __builtin_clear_padding(&copy);
        for (size_t at = 0; at + sizeof(uintptr_t) <= sizeof(T); at += sizeof(uintptr_t)) {
            uintptr_t word = 0;
            std::memcpy(&word, reinterpret_cast<const char*>(&copy) + at, sizeof word);
            // Mapped files, stacks and large arrays; counts and sizes are smaller.
            if (word >> 40 != 0 && word >> 47 == 0)
                check_pointer(kernel, reinterpret_cast<const void*>(word));
        }
    }
}

}  // namespace emulation
