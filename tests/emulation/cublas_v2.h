// SPDX-License-Identifier: Apache-2.0
// Test code: the part of cuBLAS that the backend calls, as plain loops (cublas.cpp).
#pragma once

#include "cuda_runtime.h"

enum cublasStatus_t {
    CUBLAS_STATUS_SUCCESS = 0,
    CUBLAS_STATUS_NOT_INITIALIZED = 1,
    CUBLAS_STATUS_INVALID_VALUE = 7,
    CUBLAS_STATUS_NOT_SUPPORTED = 15,
};
enum cublasOperation_t { CUBLAS_OP_N, CUBLAS_OP_T };
enum cublasFillMode_t { CUBLAS_FILL_MODE_LOWER, CUBLAS_FILL_MODE_UPPER };
enum cublasDiagType_t { CUBLAS_DIAG_NON_UNIT, CUBLAS_DIAG_UNIT };
enum cublasSideMode_t { CUBLAS_SIDE_LEFT, CUBLAS_SIDE_RIGHT };
enum cublasPointerMode_t { CUBLAS_POINTER_MODE_HOST, CUBLAS_POINTER_MODE_DEVICE };
enum cublasMath_t {
    CUBLAS_DEFAULT_MATH = 0,
    CUBLAS_PEDANTIC_MATH = 2,
    CUBLAS_TF32_TENSOR_OP_MATH = 3,
};
using cublasHandle_t = struct FsCublasContext*;

cublasStatus_t cublasCreate(cublasHandle_t* handle);
cublasStatus_t cublasDestroy(cublasHandle_t handle);
cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream);
cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode);
cublasStatus_t cublasSetPointerMode(cublasHandle_t handle, cublasPointerMode_t mode);
cublasStatus_t cublasSetWorkspace(cublasHandle_t handle, void* workspace, size_t bytes);
const char* cublasGetStatusString(cublasStatus_t status);

// Each for float (S) and double (D).
#define FS_EMULATION_BLAS(P, T)                                                               \
    cublasStatus_t cublas##P##gemm(cublasHandle_t handle, cublasOperation_t transa,           \
                                   cublasOperation_t transb, int m, int n, int k,             \
                                   const T* alpha, const T* A, int lda, const T* B, int ldb,  \
                                   const T* beta, T* C, int ldc);                             \
    cublasStatus_t cublas##P##gemm_64(                                                        \
        cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int64_t m, \
        int64_t n, int64_t k, const T* alpha, const T* A, int64_t lda, const T* B,            \
        int64_t ldb, const T* beta, T* C, int64_t ldc);                                       \
    cublasStatus_t cublas##P##gemmStridedBatched(                                             \
        cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m,     \
        int n, int k, const T* alpha, const T* A, int lda, long long strideA, const T* B,     \
        int ldb, long long strideB, const T* beta, T* C, int ldc, long long strideC,          \
        int count);                                                                           \
    cublasStatus_t cublas##P##gemv(cublasHandle_t handle, cublasOperation_t trans, int m,     \
                                   int n, const T* alpha, const T* A, int lda, const T* x,    \
                                   int incx, const T* beta, T* y, int incy);                  \
    cublasStatus_t cublas##P##syrk(cublasHandle_t handle, cublasFillMode_t uplo,              \
                                   cublasOperation_t trans, int n, int k, const T* alpha,     \
                                   const T* A, int lda, const T* beta, T* C, int ldc);        \
    cublasStatus_t cublas##P##trsm(cublasHandle_t handle, cublasSideMode_t side,              \
                                   cublasFillMode_t uplo, cublasOperation_t trans,            \
                                   cublasDiagType_t diag, int m, int n, const T* alpha,       \
                                   const T* A, int lda, T* B, int ldb);                       \
    cublasStatus_t cublas##P##trmm(cublasHandle_t handle, cublasSideMode_t side,              \
                                   cublasFillMode_t uplo, cublasOperation_t trans,            \
                                   cublasDiagType_t diag, int m, int n, const T* alpha,       \
                                   const T* A, int lda, const T* B, int ldb, T* C, int ldc);  \
    cublasStatus_t cublas##P##geam(cublasHandle_t handle, cublasOperation_t transa,           \
                                   cublasOperation_t transb, int m, int n, const T* alpha,    \
                                   const T* A, int lda, const T* beta, const T* B, int ldb,   \
                                   T* C, int ldc);
FS_EMULATION_BLAS(S, float)
FS_EMULATION_BLAS(D, double)
#undef FS_EMULATION_BLAS
