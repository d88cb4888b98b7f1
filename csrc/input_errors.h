// SPDX-License-Identifier: Apache-2.0
// What is wrong with the caller's arrays and shows only in the midst of the arithmetic: in the
// same words from every backend.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>

#include "error.h"

namespace fisher_select {

/// Information gain: weights that add up to 0 were to be normalised.
inline InputError weightless_row(int64_t row) {
    return InputError("normalize: row " + std::to_string(row) +
                      " gives no probability to any class of eval_labels, so its weights add "
                      "up to 0");
}

/// Mask: an entry that is negative, infinite or no number.
inline InputError bad_diagonal(int64_t entry, double value) {
    std::array<char, 32> shown;
    std::snprintf(shown.data(), shown.size(), "%.6g", value);
    return InputError(std::string("diagonal must be ") +
                      (std::isfinite(value) ? "at least 0" : "finite") + ": entry " +
                      std::to_string(entry) + " is " + shown.data());
}

}  // namespace fisher_select
