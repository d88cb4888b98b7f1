// SPDX-License-Identifier: Apache-2.0
// Dense symmetric float64 algebra on a device: cuBLAS does the arithmetic; the Cholesky of one
// diagonal block is ours, so that no solver library is needed.
#pragma once

#include <cstdint>

#include "device.h"
#include "memory.h"

namespace fisher_select::cuda {

/// Column-major [n, n]; both triangles are kept.
struct SquareMatrix {
    SquareMatrix() = default;
    SquareMatrix(const Device& device, int64_t n_);
    double* at(int64_t i, int64_t j) const { return values.data() + j * n + i; }

    int64_t n = 0;
    DeviceBuffer<double> values;
};

/// C [m, n] = alpha op(A) op(B) + beta C, column-major.
void gemm(const Device& device, char trans_a, char trans_b, int64_t m, int64_t n, int64_t k,
          double alpha, const double* a, int64_t lda, const double* b, int64_t ldb, double beta,
          double* c, int64_t ldc);
void gemm(const Device& device, char trans_a, char trans_b, int64_t m, int64_t n, int64_t k,
          float alpha, const float* a, int64_t lda, const float* b, int64_t ldb, float beta,
          float* c, int64_t ldc);

/// a <- value I.
void set_identity(const Device& device, SquareMatrix& a, double value);

/// Copies the lower triangle to the upper one.
void mirror(const Device& device, SquareMatrix& a);

/// r <- R, the inverse of M's Cholesky factor (lower), so that M^-1 = R^T R; false where M is
/// not positive definite. M is overwritten. About n^3 multiplications. Waits for the result.
bool invert_factor(const Device& device, SquareMatrix& m, SquareMatrix& r, double& log_det);

/// q <- M^-1 = R^T R. n^3 / 2 multiplications.
void inverse(const Device& device, const SquareMatrix& r, SquareMatrix& q);

/// p <- M^-1 F M^-1 = R^T (R F R^T) R (F = I where nullptr), which keeps more digits than Q F Q
/// (cpu/linear_algebra.h). `work` is overwritten. 4 n^3 multiplications.
void sandwich(const Device& device, const SquareMatrix& r, const SquareMatrix* f,
              SquareMatrix& p, SquareMatrix& work);

/// Sum of the elementwise product, tr(A B) of symmetric matrices; of the diagonal of A where B
/// is nullptr. Waits for the result.
double trace_of_product(const Device& device, const SquareMatrix& a, const SquareMatrix* b);

}  // namespace fisher_select::cuda
