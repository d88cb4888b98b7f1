// SPDX-License-Identifier: Apache-2.0
// Orthogonal iteration; see subspace.h.
#include "subspace.h"

#include <cmath>

#include "rng.h"

namespace fisher_select {
namespace {

constexpr int kRounds = 4;
constexpr uint64_t kSeed = 20;       // any start will do; a fixed one repeats
constexpr double kDependent = 1e-9;  // of its length: what is left is rounding noise

double dot(const double* a, const double* b, int64_t length) {
    double sum = 0.0;
    for (int64_t k = 0; k < length; ++k) sum += a[k] * b[k];
    return sum;
}

/// Gram-Schmidt, each row twice against those before it: orthonormal to rounding.
void orthonormalise(double* basis, int64_t count, int64_t length) {
    for (int64_t j = 0; j < count; ++j) {
        double* row = basis + j * length;
        const double before = std::sqrt(dot(row, row, length));
        for (int pass = 0; pass < 2; ++pass)
            for (int64_t i = 0; i < j; ++i) {
                const double* other = basis + i * length;
                const double along = dot(row, other, length);
                for (int64_t k = 0; k < length; ++k) row[k] -= along * other[k];
            }
        const double after = std::sqrt(dot(row, row, length));
        const double factor = after > kDependent * before ? 1.0 / after : 0.0;
        for (int64_t k = 0; k < length; ++k) row[k] *= factor;
    }
}

}  // namespace

Buffer<double> leading_directions(const Blas& blas, const Buffer<double>& sample, int64_t rows,
                                  int64_t length, int64_t count) {
    constexpr const char* kPurpose = "the basis of the distance bounds";
    constexpr const char* kRemedy = "select from a part of the features";
    Buffer<double> basis({count, length}, kPurpose, kRemedy);
    if (count >= length) {
        basis.zero();
        for (int64_t k = 0; k < length; ++k) basis[k * length + k] = 1.0;
        return basis;
    }
    Buffer<double> images({rows, count}, kPurpose, kRemedy);
    for (int64_t k = 0; k < count * length; ++k)
        basis[k] = random_uniform(kSeed, static_cast<uint64_t>(k)) - 0.5;
    orthonormalise(basis.data(), count, length);
    const int m = static_cast<int>(rows), d = static_cast<int>(length),
              q = static_cast<int>(count);
    for (int round = 0; round < kRounds; ++round) {
        blas.gemm('T', 'N', q, m, d, 1.0, basis.data(), d, sample.data(), d, 0.0, images.data(),
                  q);
        blas.gemm('N', 'T', d, q, m, 1.0, sample.data(), d, images.data(), q, 0.0, basis.data(),
                  d);
        orthonormalise(basis.data(), count, length);
    }
    return basis;
}

}  // namespace fisher_select
