// SPDX-License-Identifier: Apache-2.0
// See linear_algebra.h.
#include "linear_algebra.h"

#include <utility>
#include <vector>

#include "launch.h"
#include "portable.h"
#include "reduce.h"

namespace fisher_select::cuda {
namespace {

constexpr int kBlock = 64;  // columns factored at once: a block lies in shared memory
constexpr int kSums = 256;  // blocks that share a long sum, whatever the device: same bits
constexpr const char* kRemedy = "lower the feature width or the number of classes";

cublasOperation_t operation(char trans) { return trans == 'N' ? CUBLAS_OP_N : CUBLAS_OP_T; }

struct Factorization {
    double log_det;
    int failed;  // a pivot was not positive
};

/// Cholesky of the block A [size, size] at a diagonal, in place; one block of kBlock threads, a
/// row each.
__global__ void factor_block(double* a, int64_t lda, int size, Factorization* found) {
    __shared__ double block[kBlock][kBlock + 1];
    const int row = static_cast<int>(threadIdx.x);
    if (row < size)
        for (int j = 0; j <= row; ++j) block[row][j] = a[j * lda + row];
    double log_det = 0.0;
    for (int j = 0; j < size; ++j) {
        __syncthreads();
        const double pivot = block[j][j];
        if (row == 0 && !(pivot > 0.0)) found->failed = 1;
        const double root = sqrt(pivot);
        log_det += log(pivot);
        __syncthreads();
        if (row == j) block[j][j] = root;
        if (row > j && row < size) block[row][j] /= root;
        __syncthreads();
        if (row < size)
            for (int k = j + 1; k <= row; ++k) block[row][k] -= block[row][j] * block[k][j];
    }
    __syncthreads();
    if (row < size)
        for (int j = 0; j <= row; ++j) a[j * lda + row] = block[row][j];
    if (row == 0) found->log_det += log_det;
}

/// Writes the lower triangle over the upper one; a thread an entry.
__global__ void mirror_kernel(double* a, int64_t n) {
    const int64_t entry = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (entry >= n * n) return;
    const int64_t i = entry % n, j = entry / n;
    if (i < j) a[j * n + i] = a[i * n + j];
}

__global__ void identity_kernel(double* a, int64_t n, double value) {
    const int64_t entry = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (entry < n * n) a[entry] = entry % n == entry / n ? value : 0.0;
}

__global__ void product_sums(const double* a, const double* b, int64_t n, double* sums) {
    __shared__ double shared[kThreads / kWarp];
    const int64_t step = int64_t{gridDim.x} * blockDim.x;
    double sum = 0.0;
    for (int64_t entry = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; entry < n * n;
         entry += step) {
        const double other = b != nullptr ? b[entry] : (entry % n == entry / n ? 1.0 : 0.0);
        sum += a[entry] * other;
    }
    sum = block_reduce(sum, Plus{}, shared);
    if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

}  // namespace

SquareMatrix::SquareMatrix(const Device& device, int64_t n_)
    : n(n_), values(device, {n_, n_}, "a matrix of the information", kRemedy) {}

void gemm(const Device& device, char trans_a, char trans_b, int64_t m, int64_t n, int64_t k,
          double alpha, const double* a, int64_t lda, const double* b, int64_t ldb, double beta,
          double* c, int64_t ldc) {
    if (m == 0 || n == 0) return;
    check(
        cublasDgemm(device.blas(), operation(trans_a), operation(trans_b), static_cast<int>(m),
                    static_cast<int>(n), static_cast<int>(k), &alpha, a, static_cast<int>(lda),
                    b, static_cast<int>(ldb), &beta, c, static_cast<int>(ldc)),
        "multiply float64 matrices");
}

void gemm(const Device& device, char trans_a, char trans_b, int64_t m, int64_t n, int64_t k,
          float alpha, const float* a, int64_t lda, const float* b, int64_t ldb, float beta,
          float* c, int64_t ldc) {
    if (m == 0 || n == 0) return;
    check(
        cublasSgemm(device.blas(), operation(trans_a), operation(trans_b), static_cast<int>(m),
                    static_cast<int>(n), static_cast<int>(k), &alpha, a, static_cast<int>(lda),
                    b, static_cast<int>(ldb), &beta, c, static_cast<int>(ldc)),
        "multiply float32 matrices");
}

void mirror(const Device& device, SquareMatrix& a) {
    launch(device, "mirror a matrix", one_thread_each(a.n * a.n), &mirror_kernel,
           a.values.data(), a.n);
}

void set_identity(const Device& device, SquareMatrix& a, double value) {
    launch(device, "set a matrix", one_thread_each(a.n * a.n), &identity_kernel,
           a.values.data(), a.n, value);
}

bool invert_factor(const Device& device, SquareMatrix& m, SquareMatrix& r, double& log_det) {
    DeviceBuffer<Factorization> found(device, {1}, "a factorization's outcome", kRemedy);
    found.zero();
    const int ld = static_cast<int>(m.n);
    const double one = 1.0, minus_one = -1.0;
    for (int64_t k = 0; k < m.n; k += kBlock) {
        const int64_t size = m.n - k < kBlock ? m.n - k : kBlock, below = m.n - k - size;
        launch(device, "factor M", {1, kBlock}, &factor_block, m.at(k, k), m.n,
               static_cast<int>(size), found.data());
        if (below == 0) break;
        check(cublasDtrsm(device.blas(), CUBLAS_SIDE_RIGHT, CUBLAS_FILL_MODE_LOWER, CUBLAS_OP_T,
                          CUBLAS_DIAG_NON_UNIT, static_cast<int>(below), static_cast<int>(size),
                          &one, m.at(k, k), ld, m.at(k + size, k), ld),
              "factor M");
        check(cublasDsyrk(device.blas(), CUBLAS_FILL_MODE_LOWER, CUBLAS_OP_N,
                          static_cast<int>(below), static_cast<int>(size), &minus_one,
                          m.at(k + size, k), ld, &one, m.at(k + size, k + size), ld),
              "factor M");
    }
    set_identity(device, r, 1.0);
    check(cublasDtrsm(device.blas(), CUBLAS_SIDE_LEFT, CUBLAS_FILL_MODE_LOWER, CUBLAS_OP_N,
                      CUBLAS_DIAG_NON_UNIT, ld, ld, &one, m.at(0, 0), ld, r.at(0, 0), ld),
          "invert M's factor");
    Factorization outcome{};
    found.download(&outcome, 1);
    log_det = outcome.log_det;
    return outcome.failed == 0;
}

void inverse(const Device& device, const SquareMatrix& r, SquareMatrix& q) {
    const int n = static_cast<int>(r.n);
    const double one = 1.0, none = 0.0;
    check(cublasDsyrk(device.blas(), CUBLAS_FILL_MODE_LOWER, CUBLAS_OP_T, n, n, &one,
                      r.at(0, 0), n, &none, q.at(0, 0), n),
          "invert M");
    mirror(device, q);
}

void sandwich(const Device& device, const SquareMatrix& r, const SquareMatrix* f,
              SquareMatrix& p, SquareMatrix& work) {
    const int64_t n = r.n;
    const auto multiply = [&](char trans_a, char trans_b, const SquareMatrix& a,
                              const SquareMatrix& b, SquareMatrix& to) {
        gemm(device, trans_a, trans_b, n, n, n, 1.0, a.at(0, 0), n, b.at(0, 0), n, 0.0,
             to.at(0, 0), n);
    };
    if (f != nullptr) {
        multiply('N', 'N', r, *f, p);
        multiply('N', 'T', p, r, work);
    } else {
        multiply('N', 'T', r, r, work);
    }
    multiply('N', 'N', work, r, p);
    multiply('T', 'N', r, p, work);
    std::swap(p.values, work.values);
    mirror(device, p);
}

double trace_of_product(const Device& device, const SquareMatrix& a, const SquareMatrix* b) {
    DeviceBuffer<double> sums(device, {kSums}, "partial sums", kRemedy);
    launch(device, "compute the objective", {kSums, kThreads}, &product_sums, a.values.data(),
           b != nullptr ? b->values.data() : nullptr, a.n, sums.data());
    double total = 0.0;
    for (double sum : sums.download()) total += sum;
    return total;
}

}  // namespace fisher_select::cuda
