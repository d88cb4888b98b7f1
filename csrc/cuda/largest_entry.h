// SPDX-License-Identifier: Apache-2.0
// The size of a matrix on a device, by which mean distances are scaled.
#pragma once

#include "device.h"
#include "view.h"

namespace fisher_select::cuda {

/// The largest absolute value. Bytes: the matrix once.
double largest_entry(const Device& device, const MatrixView& matrix);

}  // namespace fisher_select::cuda
