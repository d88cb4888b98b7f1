// SPDX-License-Identifier: Apache-2.0
// Three kinds of failure with words of their own: the caller's fault (InputError), arithmetic
// that cannot go on (NumericalError), memory that is not there (OutOfMemory). Anything else
// that is thrown is a bug of ours.
#pragma once

#include <cstdint>
#include <new>
#include <stdexcept>
#include <string>

namespace fisher_select {

struct InputError : std::invalid_argument {
    using std::invalid_argument::invalid_argument;
};

/// Carries the number of picks made so far, so that the message can name the step.
struct NumericalError : std::runtime_error {
    NumericalError(const std::string& what, int64_t step_)
        : std::runtime_error(what), step(step_) {}
    int64_t step;
};

/// Says what was wanted, how much of it, and which option lowers it.
struct OutOfMemory : std::bad_alloc {
    OutOfMemory(const std::string& purpose, double bytes, const std::string& remedy)
        : text(purpose + " needs " + std::to_string(static_cast<int64_t>(bytes / 1e6) + 1) +
               " MB that could not be allocated; " + remedy) {}
    const char* what() const noexcept override { return text.c_str(); }
    std::string text;
};

/// A broken promise between two of our own functions: never the caller's fault.
inline void internal_check(bool holds, const char* promise) {
    if (!holds)
        throw std::logic_error(std::string("fisher_select bug, please report: ") + promise);
}

}  // namespace fisher_select
