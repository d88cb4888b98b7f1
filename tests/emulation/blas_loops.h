// SPDX-License-Identifier: Apache-2.0
// The matrix operations of cuBLAS as loops. Column-major; an output whose beta is 0 is not
// read.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cublas_v2.h"

namespace emulation {

/// A matrix as stored, read as op(A).
template <class T>
struct Operand {
    const T* data;
    int64_t ld;
    bool transposed = false;

    T operator()(int64_t i, int64_t j) const {
        return transposed ? data[j + i * ld] : data[i + j * ld];
    }
};

template <class T>
void scale(T* values, int64_t count, T beta, int64_t step = 1) {
    for (int64_t i = 0; i < count; ++i)
        values[i * step] = beta == T{0} ? T{0} : beta * values[i * step];
}

template <class T>
void axpy(int64_t count, T factor, const T* x, T* y) {
    for (int64_t i = 0; i < count; ++i) y[i] += factor * x[i];
}

/// Eight partial sums: one would leave the processor waiting.
template <class T>
T dot(int64_t count, const T* x, const T* y) {
    T sums[8] = {};
    int64_t i = 0;
    for (; i + 8 <= count; i += 8)
        for (int64_t lane = 0; lane < 8; ++lane) sums[lane] += x[i + lane] * y[i + lane];
    for (; i < count; ++i) sums[0] += x[i] * y[i];
    T sum = 0;
    for (T part : sums) sum += part;
    return sum;
}

/// C[begin:end, j] += alpha op(A)[begin:end, :] b for one column b of length k.
template <class T>
void add_product(const Operand<T>& A, int64_t begin, int64_t end, int64_t k, T alpha,
                 const T* b, T* c) {
    if (A.transposed) {
        for (int64_t i = begin; i < end; ++i) c[i] += alpha * dot(k, A.data + i * A.ld, b);
        return;
    }
    for (int64_t l = 0; l < k; ++l)
        axpy(end - begin, alpha * b[l], A.data + begin + l * A.ld, c + begin);
}

template <class T>
void gemm(int64_t m, int64_t n, int64_t k, T alpha, const Operand<T>& A, const Operand<T>& B,
          T beta, T* C, int64_t ldc) {
    std::vector<T> column(static_cast<size_t>(k));
    for (int64_t j = 0; j < n; ++j) {
        for (int64_t l = 0; l < k; ++l) column[static_cast<size_t>(l)] = B(l, j);
        scale(C + j * ldc, m, beta);
        add_product(A, 0, m, k, alpha, column.data(), C + j * ldc);
    }
}

/// One triangle of C = alpha op(A) op(A)^T + beta C.
template <class T>
void syrk(bool lower, int64_t n, int64_t k, T alpha, const Operand<T>& A, T beta, T* C,
          int64_t ldc) {
    std::vector<T> column(static_cast<size_t>(k));
    for (int64_t j = 0; j < n; ++j) {
        for (int64_t l = 0; l < k; ++l) column[static_cast<size_t>(l)] = A(j, l);
        const int64_t begin = lower ? j : 0, end = lower ? n : j + 1;
        scale(C + begin + j * ldc, end - begin, beta);
        add_product(A, begin, end, k, alpha, column.data(), C + j * ldc);
    }
}

/// op(A) as a triangle: which half of it is read, and whether its diagonal is.
template <class T>
struct Triangle {
    Operand<T> full;
    bool lower;  // of op(A)
    bool unit;

    T operator()(int64_t i, int64_t j) const {
        if (i == j) return unit ? T{1} : full(i, i);
        return (i > j) == lower ? full(i, j) : T{0};
    }
};

/// One right-hand side of a [size]: x <- a^-1 x, with x [size] `step` apart.
template <class T>
void solve(const Triangle<T>& a, bool forward, bool from_right, int64_t size, T* x,
           int64_t step) {
    for (int64_t count = 0; count < size; ++count) {
        const int64_t i = forward ? count : size - 1 - count;
        T sum = x[i * step];
        for (int64_t done = 0; done < count; ++done) {
            const int64_t l = forward ? done : size - 1 - done;
            sum -= (from_right ? a(l, i) : a(i, l)) * x[l * step];
        }
        x[i * step] = sum / a(i, i);
    }
}

/// B <- alpha a^-1 B, or alpha B a^-1.
template <class T>
void trsm(bool left, int64_t m, int64_t n, T alpha, const Triangle<T>& a, T* B, int64_t ldb) {
    for (int64_t j = 0; j < n; ++j) scale(B + j * ldb, m, alpha);
    if (alpha == T{0}) return;
    if (left)
        for (int64_t j = 0; j < n; ++j) solve(a, a.lower, false, m, B + j * ldb, int64_t{1});
    else
        for (int64_t i = 0; i < m; ++i) solve(a, !a.lower, true, n, B + i, ldb);
}

/// C <- alpha a B, or alpha B a; C may be B.
template <class T>
void trmm(bool left, int64_t m, int64_t n, T alpha, const Triangle<T>& a, const T* B,
          int64_t ldb, T* C, int64_t ldc) {
    std::vector<T> product(static_cast<size_t>(m * n));
    for (int64_t j = 0; j < n; ++j)
        for (int64_t i = 0; i < m; ++i) {
            T sum = 0;
            for (int64_t l = 0; l < (left ? m : n); ++l)
                sum += left ? a(i, l) * B[l + j * ldb] : B[i + l * ldb] * a(l, j);
            product[static_cast<size_t>(i + j * m)] = alpha * sum;
        }
    for (int64_t j = 0; j < n; ++j) std::copy_n(product.data() + j * m, m, C + j * ldc);
}

/// C <- alpha op(A) + beta op(B); a summand whose factor is 0 is not read.
template <class T>
void geam(int64_t m, int64_t n, T alpha, const Operand<T>& A, T beta, const Operand<T>& B, T* C,
          int64_t ldc) {
    for (int64_t j = 0; j < n; ++j)
        for (int64_t i = 0; i < m; ++i)
            C[i + j * ldc] = (alpha == T{0} ? T{0} : alpha * A(i, j)) +
                             (beta == T{0} ? T{0} : beta * B(i, j));
}

template <class T>
void gemv(int64_t m, int64_t n, T alpha, const Operand<T>& A, const T* x, int64_t incx, T beta,
          T* y, int64_t incy) {
    for (int64_t i = 0; i < m; ++i) {
        T sum = 0;
        for (int64_t j = 0; j < n; ++j) sum += A(i, j) * x[j * incx];
        scale(y + i * incy, 1, beta);
        y[i * incy] += alpha * sum;
    }
}

}  // namespace emulation
