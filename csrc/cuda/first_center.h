// SPDX-License-Identifier: Apache-2.0
// The row that k-centre greedy starts from where nothing is labelled, for a pool on a device.
#pragma once

#include <cstdint>

#include "device.h"
#include "view.h"

namespace fisher_select::cuda {

/// The row of features [n, 1, d] nearest to their mean, or, with probabilities [n, C], the one
/// with the largest gradient |x|^2 |e_yhat - p|^2; ties to the lowest. Equal rows tie.
/// Numerics: float64. Cost: two readings of the features, for gradients one of both arrays.
/// Memory: d doubles for each 1024 rows, 16 bytes for each 8.
int64_t first_center(const Device& device, const VectorsView& features,
                     const MatrixView& probabilities);

}  // namespace fisher_select::cuda
