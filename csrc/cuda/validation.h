// SPDX-License-Identifier: Apache-2.0
// What fisher_select checks of a caller's array before any work, for arrays on a device. Each
// check reads the array once and waits for the answer; the words of the errors are Python's.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "device.h"
#include "view.h"

namespace fisher_select::cuda {

/// The first row with an entry that is NaN or infinite.
std::optional<int64_t> first_not_finite(const Device& device, const VectorsView& rows);

/// How far probabilities may be off. Without limits of the sums: HUGE_VAL.
struct ProbabilityLimits {
    double range = 0.0;        // outside [0, 1]
    double sum = 0.0;          // of a row's sum from 1
    double renormalize = 0.0;  // of a row's sum from 1, before all rows are divided by theirs
};

struct ProbabilityFindings {
    std::optional<int64_t> bad_row;  // the first beyond `range`, or, without one, beyond `sum`
    bool clip = false;               // an entry lies outside [0, 1]
    bool renormalize = false;        // a sum is off by more than that
};

/// Entries are finite.
ProbabilityFindings check_probabilities(const Device& device, const MatrixView& probabilities,
                                        const ProbabilityLimits& limits);

/// Writes the entries clipped to [0, 1], and divided by their row's sum where `renormalize`, to
/// `to` [rows, cols], contiguous and of the same width.
void repair_probabilities(const Device& device, const MatrixView& probabilities,
                          bool renormalize, void* to);

/// One row, [length, slots].
std::vector<double> read_row(const Device& device, const VectorsView& rows, int64_t row);

}  // namespace fisher_select::cuda
