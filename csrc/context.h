// SPDX-License-Identifier: Apache-2.0
// What every operation needs beside its data: BLAS, threads, and the caller's two callbacks.
#pragma once

#include <cstdint>
#include <functional>

#include "blas.h"

namespace fisher_select {

struct Context {
    Blas blas;
    int threads = 1;

    /// Throws when the user wants to stop (Ctrl-C). Called on the caller's own thread only,
    /// after every task of a loop, however short the loop: calls are cheap to make, the
    /// receiver thins them.
    std::function<void()> poll = [] {};

    /// Progress of a stage, for a bar: calls are cheap to make, the receiver may thin them.
    std::function<void(const char* stage, int64_t done, int64_t total)> progress =
        [](const char*, int64_t, int64_t) {};
};

}  // namespace fisher_select
