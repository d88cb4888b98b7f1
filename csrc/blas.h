// SPDX-License-Identifier: Apache-2.0
// The BLAS and LAPACK routines the core calls, as a table of Fortran-style pointers. The
// bindings fill it from SciPy (scipy.linalg.cython_blas / cython_lapack), so that nothing is
// linked and one build serves every BLAS. All matrices are column-major.
#pragma once

namespace fisher_select {

template <class T>
using GemmFunction = void (*)(char* trans_a, char* trans_b, int* m, int* n, int* k, T* alpha,
                              T* a, int* lda, T* b, int* ldb, T* beta, T* c, int* ldc);
template <class T>
using TrsmFunction = void (*)(char* side, char* uplo, char* trans, char* diag, int* m, int* n,
                              T* alpha, T* a, int* lda, T* b, int* ldb);
template <class T>
using PotrfFunction = void (*)(char* uplo, int* n, T* a, int* lda, int* info);

struct Blas {
    GemmFunction<float> sgemm = nullptr;
    GemmFunction<double> dgemm = nullptr;
    TrsmFunction<double> dtrsm = nullptr;
    PotrfFunction<double> dpotrf = nullptr;

    /// C [m, n] = alpha op(A) op(B) + beta C. The table's routines take no const: they are
    /// Fortran, and do not write to A or B.
    void gemm(char trans_a, char trans_b, int m, int n, int k, float alpha, const float* a,
              int lda, const float* b, int ldb, float beta, float* c, int ldc) const {
        sgemm(&trans_a, &trans_b, &m, &n, &k, &alpha, const_cast<float*>(a), &lda,
              const_cast<float*>(b), &ldb, &beta, c, &ldc);
    }
    void gemm(char trans_a, char trans_b, int m, int n, int k, double alpha, const double* a,
              int lda, const double* b, int ldb, double beta, double* c, int ldc) const {
        dgemm(&trans_a, &trans_b, &m, &n, &k, &alpha, const_cast<double*>(a), &lda,
              const_cast<double*>(b), &ldb, &beta, c, &ldc);
    }
    /// B <- op(A)^-1 B (side 'L') or B op(A)^-1 (side 'R'), A lower triangular.
    void solve_lower(char side, char trans, int m, int n, const double* a, int lda, double* b,
                     int ldb) const {
        char uplo = 'L', diag = 'N';
        double one = 1.0;
        dtrsm(&side, &uplo, &trans, &diag, &m, &n, &one, const_cast<double*>(a), &lda, b, &ldb);
    }
    /// A <- lower Cholesky factor of A; false where A is not positive definite.
    bool cholesky(int n, double* a, int lda) const {
        char uplo = 'L';
        int info = 0;
        dpotrf(&uplo, &n, a, &lda, &info);
        return info == 0;
    }
};

}  // namespace fisher_select
