// SPDX-License-Identifier: Apache-2.0
// Calls of cuBLAS: arguments refused as the library refuses them, else queued on the handle's
// stream. Matrices have to lie in device memory, whole.
#include "cublas_v2.h"

#include <string>

#include "arena.h"
#include "blas_loops.h"
#include "queue.h"

struct FsCublasContext {
    cudaStream_t stream = nullptr;
    cublasPointerMode_t pointers = CUBLAS_POINTER_MODE_HOST;
};

namespace emulation {
namespace {

/// alpha or beta: of the host, read at the call, or of the device, read when its turn comes.
template <class T>
class Factor {
public:
    Factor(cublasHandle_t handle, const T* at) {
        if (handle->pointers == CUBLAS_POINTER_MODE_DEVICE) {
            later_ = at;
            if (!is_allocated(at, sizeof(T))) fatal("cuBLAS: a factor is not device memory");
        } else {
            if (is_device(at)) fatal("cuBLAS: a factor is device memory in host pointer mode");
            value_ = *at;
        }
    }
    T operator()() const { return later_ == nullptr ? value_ : *later_; }

private:
    T value_{};
    const T* later_ = nullptr;
};

/// Ends the process if a matrix [rows, columns] reaches out of its allocation.
template <class T>
void expect(const char* name, const T* data, int64_t rows, int64_t columns, int64_t ld) {
    if (rows == 0 || columns == 0) return;
    const auto count = static_cast<size_t>((columns - 1) * ld + rows);
    if (!is_allocated(data, count * sizeof(T)))
        fatal(std::string("cuBLAS: ") + name + " reaches out of allocated device memory");
}

/// Leading dimension of a stored matrix.
bool is_ld(int64_t ld, int64_t rows) { return ld >= std::max<int64_t>(1, rows); }

template <class... Sizes>
bool are_sizes(Sizes... sizes) {
    return ((sizes >= 0) && ...);
}

cublasStatus_t submit(cublasHandle_t handle, Work work) {
    enqueue(handle->stream, std::move(work));
    return CUBLAS_STATUS_SUCCESS;
}

using Lock = std::lock_guard<std::mutex>;

template <class T>
struct Batch {
    int64_t a = 0, b = 0, c = 0, count = 1;  // strides from one to the next
};

template <class T>
cublasStatus_t call_gemm(cublasHandle_t handle, cublasOperation_t ta, cublasOperation_t tb,
                         int64_t m, int64_t n, int64_t k, const T* alpha, const T* A,
                         int64_t lda, const T* B, int64_t ldb, const T* beta, T* C, int64_t ldc,
                         Batch<T> batch = {}) {
    const Lock lock(api_lock());
    const bool at = ta == CUBLAS_OP_T, bt = tb == CUBLAS_OP_T;
    if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
    if (!are_sizes(m, n, k, batch.count) || !is_ld(lda, at ? k : m) ||
        !is_ld(ldb, bt ? n : k) || !is_ld(ldc, m))
        return CUBLAS_STATUS_INVALID_VALUE;
    for (int64_t i = 0; i < batch.count; ++i) {
        expect("A", A + i * batch.a, at ? k : m, at ? m : k, lda);
        expect("B", B + i * batch.b, bt ? n : k, bt ? k : n, ldb);
        expect("C", C + i * batch.c, m, n, ldc);
    }
    return submit(handle, [=, a = Factor<T>(handle, alpha), b = Factor<T>(handle, beta)] {
        for (int64_t i = 0; i < batch.count; ++i)
            gemm(m, n, k, a(), {A + i * batch.a, lda, at}, {B + i * batch.b, ldb, bt}, b(),
                 C + i * batch.c, ldc);
    });
}

template <class T>
cublasStatus_t call_gemv(cublasHandle_t handle, cublasOperation_t trans, int64_t m, int64_t n,
                         const T* alpha, const T* A, int64_t lda, const T* x, int64_t incx,
                         const T* beta, T* y, int64_t incy) {
    const Lock lock(api_lock());
    const bool t = trans == CUBLAS_OP_T;
    if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
    if (!are_sizes(m, n) || !is_ld(lda, m) || incx == 0 || incy == 0)
        return CUBLAS_STATUS_INVALID_VALUE;
    if (incx < 0 || incy < 0) fatal("cublasgemv: negative increments are not emulated");
    const int64_t rows = t ? n : m, columns = t ? m : n;
    expect("A", A, m, n, lda);
    expect("x", x, 1, columns, incx);
    expect("y", y, 1, rows, incy);
    return submit(handle, [=, a = Factor<T>(handle, alpha), b = Factor<T>(handle, beta)] {
        gemv(rows, columns, a(), {A, lda, t}, x, incx, b(), y, incy);
    });
}

template <class T>
cublasStatus_t call_syrk(cublasHandle_t handle, cublasFillMode_t uplo, cublasOperation_t trans,
                         int64_t n, int64_t k, const T* alpha, const T* A, int64_t lda,
                         const T* beta, T* C, int64_t ldc) {
    const Lock lock(api_lock());
    const bool t = trans == CUBLAS_OP_T;
    if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
    if (!are_sizes(n, k) || !is_ld(lda, t ? k : n) || !is_ld(ldc, n))
        return CUBLAS_STATUS_INVALID_VALUE;
    expect("A", A, t ? k : n, t ? n : k, lda);
    expect("C", C, n, n, ldc);
    return submit(handle, [=, a = Factor<T>(handle, alpha), b = Factor<T>(handle, beta)] {
        syrk(uplo == CUBLAS_FILL_MODE_LOWER, n, k, a(), {A, lda, t}, b(), C, ldc);
    });
}

template <class T>
Triangle<T> triangle(const T* A, int64_t lda, cublasFillMode_t uplo, cublasOperation_t trans,
                     cublasDiagType_t diag) {
    const bool t = trans == CUBLAS_OP_T;
    return {{A, lda, t}, (uplo == CUBLAS_FILL_MODE_LOWER) != t, diag == CUBLAS_DIAG_UNIT};
}

template <class T>
cublasStatus_t call_trsm(cublasHandle_t handle, cublasSideMode_t side, const Triangle<T>& a,
                         int64_t m, int64_t n, const T* alpha, T* B, int64_t ldb) {
    const Lock lock(api_lock());
    const bool left = side == CUBLAS_SIDE_LEFT;
    const int64_t size = left ? m : n;
    if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
    if (!are_sizes(m, n) || !is_ld(a.full.ld, size) || !is_ld(ldb, m))
        return CUBLAS_STATUS_INVALID_VALUE;
    expect("A", a.full.data, size, size, a.full.ld);
    expect("B", B, m, n, ldb);
    return submit(handle, [=, factor = Factor<T>(handle, alpha)] {
        trsm(left, m, n, factor(), a, B, ldb);
    });
}

template <class T>
cublasStatus_t call_trmm(cublasHandle_t handle, cublasSideMode_t side, const Triangle<T>& a,
                         int64_t m, int64_t n, const T* alpha, const T* B, int64_t ldb, T* C,
                         int64_t ldc) {
    const Lock lock(api_lock());
    const bool left = side == CUBLAS_SIDE_LEFT;
    const int64_t size = left ? m : n;
    if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
    if (!are_sizes(m, n) || !is_ld(a.full.ld, size) || !is_ld(ldb, m) || !is_ld(ldc, m))
        return CUBLAS_STATUS_INVALID_VALUE;
    expect("A", a.full.data, size, size, a.full.ld);
    expect("B", B, m, n, ldb);
    expect("C", C, m, n, ldc);
    return submit(handle, [=, factor = Factor<T>(handle, alpha)] {
        trmm(left, m, n, factor(), a, B, ldb, C, ldc);
    });
}

template <class T>
cublasStatus_t call_geam(cublasHandle_t handle, cublasOperation_t ta, cublasOperation_t tb,
                         int64_t m, int64_t n, const T* alpha, const T* A, int64_t lda,
                         const T* beta, const T* B, int64_t ldb, T* C, int64_t ldc) {
    const Lock lock(api_lock());
    const bool at = ta == CUBLAS_OP_T, bt = tb == CUBLAS_OP_T;
    if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
    if (!are_sizes(m, n) || !is_ld(lda, at ? n : m) || !is_ld(ldb, bt ? n : m) ||
        !is_ld(ldc, m))
        return CUBLAS_STATUS_INVALID_VALUE;
    // In place where it is not transposed, and only then.
    if ((C == A && (at || lda != ldc)) || (C == B && (bt || ldb != ldc)))
        return CUBLAS_STATUS_INVALID_VALUE;
    expect("C", C, m, n, ldc);
    return submit(handle, [=, a = Factor<T>(handle, alpha), b = Factor<T>(handle, beta)] {
        geam(m, n, a(), {A, lda, at}, b(), {B, ldb, bt}, C, ldc);
    });
}

}  // namespace
}  // namespace emulation

cublasStatus_t cublasCreate(cublasHandle_t* handle) {
    *handle = new FsCublasContext;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasDestroy(cublasHandle_t handle) {
    delete handle;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream) {
    handle->stream = stream;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetMathMode(cublasHandle_t, cublasMath_t) { return CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasSetPointerMode(cublasHandle_t handle, cublasPointerMode_t mode) {
    handle->pointers = mode;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetWorkspace(cublasHandle_t, void* workspace, size_t bytes) {
    emulation::expect("the workspace", static_cast<const char*>(workspace),
                      static_cast<int64_t>(bytes), 1, static_cast<int64_t>(bytes));
    return CUBLAS_STATUS_SUCCESS;
}
const char* cublasGetStatusString(cublasStatus_t status) {
    switch (status) {
        case CUBLAS_STATUS_SUCCESS: return "CUBLAS_STATUS_SUCCESS";
        case CUBLAS_STATUS_NOT_INITIALIZED: return "CUBLAS_STATUS_NOT_INITIALIZED";
        case CUBLAS_STATUS_INVALID_VALUE: return "CUBLAS_STATUS_INVALID_VALUE";
        case CUBLAS_STATUS_NOT_SUPPORTED: return "CUBLAS_STATUS_NOT_SUPPORTED";
    }
    return "unknown";
}

#define FS_EMULATION_BLAS(P, T)                                                                \
    cublasStatus_t cublas##P##gemm(cublasHandle_t handle, cublasOperation_t transa,            \
                                   cublasOperation_t transb, int m, int n, int k,              \
                                   const T* alpha, const T* A, int lda, const T* B, int ldb,   \
                                   const T* beta, T* C, int ldc) {                             \
        return emulation::call_gemm<T>(handle, transa, transb, m, n, k, alpha, A, lda, B, ldb, \
                                       beta, C, ldc);                                          \
    }                                                                                          \
    cublasStatus_t cublas##P##gemm_64(                                                         \
        cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int64_t m,  \
        int64_t n, int64_t k, const T* alpha, const T* A, int64_t lda, const T* B,             \
        int64_t ldb, const T* beta, T* C, int64_t ldc) {                                       \
        return emulation::call_gemm<T>(handle, transa, transb, m, n, k, alpha, A, lda, B, ldb, \
                                       beta, C, ldc);                                          \
    }                                                                                          \
    cublasStatus_t cublas##P##gemmStridedBatched(                                              \
        cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m,      \
        int n, int k, const T* alpha, const T* A, int lda, long long strideA, const T* B,      \
        int ldb, long long strideB, const T* beta, T* C, int ldc, long long strideC,           \
        int count) {                                                                           \
        return emulation::call_gemm<T>(handle, transa, transb, m, n, k, alpha, A, lda, B, ldb, \
                                       beta, C, ldc, {strideA, strideB, strideC, count});      \
    }                                                                                          \
    cublasStatus_t cublas##P##gemv(cublasHandle_t handle, cublasOperation_t trans, int m,      \
                                   int n, const T* alpha, const T* A, int lda, const T* x,     \
                                   int incx, const T* beta, T* y, int incy) {                  \
        return emulation::call_gemv<T>(handle, trans, m, n, alpha, A, lda, x, incx, beta, y,   \
                                       incy);                                                  \
    }                                                                                          \
    cublasStatus_t cublas##P##syrk(cublasHandle_t handle, cublasFillMode_t uplo,               \
                                   cublasOperation_t trans, int n, int k, const T* alpha,      \
                                   const T* A, int lda, const T* beta, T* C, int ldc) {        \
        return emulation::call_syrk<T>(handle, uplo, trans, n, k, alpha, A, lda, beta, C,      \
                                       ldc);                                                   \
    }                                                                                          \
    cublasStatus_t cublas##P##trsm(cublasHandle_t handle, cublasSideMode_t side,               \
                                   cublasFillMode_t uplo, cublasOperation_t trans,             \
                                   cublasDiagType_t diag, int m, int n, const T* alpha,        \
                                   const T* A, int lda, T* B, int ldb) {                       \
        return emulation::call_trsm<T>(handle, side,                                           \
                                       emulation::triangle(A, lda, uplo, trans, diag), m, n,   \
                                       alpha, B, ldb);                                         \
    }                                                                                          \
    cublasStatus_t cublas##P##trmm(cublasHandle_t handle, cublasSideMode_t side,               \
                                   cublasFillMode_t uplo, cublasOperation_t trans,             \
                                   cublasDiagType_t diag, int m, int n, const T* alpha,        \
                                   const T* A, int lda, const T* B, int ldb, T* C, int ldc) {  \
        return emulation::call_trmm<T>(handle, side,                                           \
                                       emulation::triangle(A, lda, uplo, trans, diag), m, n,   \
                                       alpha, B, ldb, C, ldc);                                 \
    }                                                                                          \
    cublasStatus_t cublas##P##geam(cublasHandle_t handle, cublasOperation_t transa,            \
                                   cublasOperation_t transb, int m, int n, const T* alpha,     \
                                   const T* A, int lda, const T* beta, const T* B, int ldb,    \
                                   T* C, int ldc) {                                            \
        return emulation::call_geam<T>(handle, transa, transb, m, n, alpha, A, lda, beta, B,   \
                                       ldb, C, ldc);                                           \
    }
FS_EMULATION_BLAS(S, float)
FS_EMULATION_BLAS(D, double)
