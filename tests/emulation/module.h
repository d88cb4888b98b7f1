// SPDX-License-Identifier: Apache-2.0
// Names for messages.
#pragma once

#include <dlfcn.h>

#include <cstdint>
#include <cstdio>
#include <string>

namespace emulation {

/// The function at this address. Kernels are hidden from the loader, so binutils looks it up;
/// without them the address has to do. For messages before the end: it starts a process.
inline std::string symbol_name(const void* function) {
    Dl_info module{};
    char text[512] = "";
    if (dladdr(function, &module) == 0) return "?";
    const auto offset =
        reinterpret_cast<uintptr_t>(function) - reinterpret_cast<uintptr_t>(module.dli_fbase);
    std::snprintf(text, sizeof text, "addr2line -f -s -C -e '%s' 0x%zx 2>/dev/null",
                  module.dli_fname, static_cast<size_t>(offset));
    std::string name;
    if (FILE* lines = popen(text, "r"); lines != nullptr) {
        if (std::fgets(text, sizeof text, lines) != nullptr) name = text;
        pclose(lines);
    }
    while (!name.empty() && (name.back() == '\n' || name.back() == '\r')) name.pop_back();
    if (!name.empty() && name[0] != '?') return name;
    std::snprintf(text, sizeof text, "at %p", function);
    return text;
}

}  // namespace emulation
