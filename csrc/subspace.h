// SPDX-License-Identifier: Apache-2.0
// Directions in which a sample spreads most, found by a few rounds of orthogonal iteration.
// Only orthonormality matters to what is built on them; how well they fit decides the speed.
#pragma once

#include <cstdint>

#include "blas.h"
#include "buffer.h"

namespace fisher_select {

/// An orthonormal basis [count, length] of about the `count` leading directions of the rows of
/// sample [rows, length]. Directions the sample does not have are zero. With count >= length
/// the coordinates themselves, the rest zero. Cost: 10 rows length count.
Buffer<double> leading_directions(const Blas& blas, const Buffer<double>& sample, int64_t rows,
                                  int64_t length, int64_t count);

}  // namespace fisher_select
