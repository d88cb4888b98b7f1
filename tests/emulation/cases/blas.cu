// SPDX-License-Identifier: Apache-2.0
// Each operation of the emulated cuBLAS against its definition, written once more and plainly:
// prints the largest relative error over all forms.
#include <cublas_v2.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "cases.h"

namespace cases {
namespace {

constexpr int kM = 7, kN = 5, kK = 11, kPad = 3;  // leading dimensions exceed the rows
constexpr cublasOperation_t kOperations[] = {CUBLAS_OP_N, CUBLAS_OP_T};

/// Column-major [rows, columns], with a copy on the device.
template <class T>
struct Matrix {
    int rows, columns, ld;
    std::vector<T> host;
    DeviceBuffer<T> device;

    Matrix(const Device& at, int rows_, int columns_, unsigned seed)
        : rows(rows_), columns(columns_), ld(rows_ + kPad) {
        host.resize(static_cast<size_t>(ld) * static_cast<size_t>(columns));
        for (size_t i = 0; i < host.size(); ++i) {
            seed = seed * 1664525u + 1013904223u;
            host[i] = static_cast<T>(seed >> 8) / static_cast<T>(1 << 24) - static_cast<T>(0.5);
        }
        for (int i = 0; i < std::min(rows, columns); ++i)
            entry(i, i) += 4;  // to be solved with
        device = DeviceBuffer<T>(at, {static_cast<int64_t>(host.size())}, "a matrix", "");
        device.upload(host.data(), device.size());
    }
    T& entry(int i, int j) { return host[static_cast<size_t>(i + j * ld)]; }
    T op(bool transposed, int i, int j) { return transposed ? entry(j, i) : entry(i, j); }

    /// The largest error of the device's copy against `wanted(i, j)`, and against the host's
    /// where `wanted` does not speak: padding, the other triangle.
    template <class Wanted, class Where>
    double error(Wanted wanted, Where where) {
        const std::vector<T> got = device.download();
        double worst = 0;
        for (int j = 0; j < columns; ++j)
            for (int i = 0; i < ld; ++i) {
                const double right =
                    i < rows && where(i, j) ? wanted(i, j) : static_cast<double>(entry(i, j));
                const double value = static_cast<double>(got[static_cast<size_t>(i + j * ld)]);
                worst = std::max(worst, std::abs(value - right) / (1 + std::abs(right)));
            }
        return worst;
    }
};

constexpr auto kEverywhere = [](int, int) { return true; };

template <class T>
struct Calls;  // the library's names by type
#define FS_CALLS(T, P)                                                 \
    template <>                                                        \
    struct Calls<T> {                                                  \
        static constexpr auto gemm = cublas##P##gemm;                  \
        static constexpr auto batched = cublas##P##gemmStridedBatched; \
        static constexpr auto gemv = cublas##P##gemv;                  \
        static constexpr auto syrk = cublas##P##syrk;                  \
        static constexpr auto trsm = cublas##P##trsm;                  \
        static constexpr auto trmm = cublas##P##trmm;                  \
        static constexpr auto geam = cublas##P##geam;                  \
    };
FS_CALLS(float, S)
FS_CALLS(double, D)
#undef FS_CALLS

template <class T>
constexpr T kAlpha = T{3} / 2;
template <class T>
constexpr T kBeta = T{-3} / 4;

template <class T>
void gemm(const Device& device) {
    double worst = 0;
    for (cublasOperation_t ta : kOperations)
        for (cublasOperation_t tb : kOperations) {
            const bool at = ta == CUBLAS_OP_T, bt = tb == CUBLAS_OP_T;
            Matrix<T> A(device, at ? kK : kM, at ? kM : kK, 1);
            Matrix<T> B(device, bt ? kN : kK, bt ? kK : kN, 2), C(device, kM, kN, 3);
            check(Calls<T>::gemm(device.blas(), ta, tb, kM, kN, kK, &kAlpha<T>, A.device.data(),
                                 A.ld, B.device.data(), B.ld, &kBeta<T>, C.device.data(), C.ld),
                  "multiply");
            worst = std::max(worst, C.error(
                                        [&](int i, int j) {
                                            double sum = 0;
                                            for (int l = 0; l < kK; ++l)
                                                sum += A.op(at, i, l) * B.op(bt, l, j);
                                            return kAlpha<T> * sum + kBeta<T> * C.entry(i, j);
                                        },
                                        kEverywhere));
        }
    print("gemm", worst);
}

/// Columns of one matrix as a batch of one-column products; beta is 0, so NaN is overwritten.
template <class T>
void batched(const Device& device) {
    const T zero = 0;
    Matrix<T> A(device, kM, kK, 1), B(device, kK, kN, 2), C(device, kM, kN, 3);
    check(cudaMemset2DAsync(C.device.data(), static_cast<size_t>(C.ld) * sizeof(T), 0xff,
                            kM * sizeof(T), kN, device.stream()),
          "spoil the product");
    check(Calls<T>::batched(device.blas(), CUBLAS_OP_N, CUBLAS_OP_N, kM, 1, kK, &kAlpha<T>,
                            A.device.data(), A.ld, 0, B.device.data(), B.ld, B.ld, &zero,
                            C.device.data(), C.ld, C.ld, kN),
          "multiply");
    print("batched", C.error(
                         [&](int i, int j) {
                             double sum = 0;
                             for (int l = 0; l < kK; ++l) sum += A.entry(i, l) * B.entry(l, j);
                             return kAlpha<T> * sum;
                         },
                         kEverywhere));
}

/// x and y are rows of matrices: their entries are `ld` apart.
template <class T>
void gemv(const Device& device) {
    double worst = 0;
    for (cublasOperation_t trans : kOperations) {
        const bool t = trans == CUBLAS_OP_T;
        Matrix<T> A(device, kM, kN, 1), x(device, 1, t ? kM : kN, 2),
            y(device, 1, t ? kN : kM, 3);
        check(Calls<T>::gemv(device.blas(), trans, kM, kN, &kAlpha<T>, A.device.data(), A.ld,
                             x.device.data(), x.ld, &kBeta<T>, y.device.data(), y.ld),
              "multiply");
        worst = std::max(worst, y.error(
                                    [&](int, int i) {
                                        double sum = 0;
                                        for (int l = 0; l < x.columns; ++l)
                                            sum += A.op(t, i, l) * x.entry(0, l);
                                        return kAlpha<T> * sum + kBeta<T> * y.entry(0, i);
                                    },
                                    kEverywhere));
    }
    print("gemv", worst);
}

template <class T>
void syrk(const Device& device) {
    double worst = 0;
    for (cublasOperation_t trans : kOperations)
        for (bool lower : {false, true}) {
            const bool t = trans == CUBLAS_OP_T;
            Matrix<T> A(device, t ? kK : kM, t ? kM : kK, 1), C(device, kM, kM, 2);
            check(Calls<T>::syrk(device.blas(),
                                 lower ? CUBLAS_FILL_MODE_LOWER : CUBLAS_FILL_MODE_UPPER, trans,
                                 kM, kK, &kAlpha<T>, A.device.data(), A.ld, &kBeta<T>,
                                 C.device.data(), C.ld),
                  "multiply");
            worst = std::max(worst, C.error(
                                        [&](int i, int j) {
                                            double sum = 0;
                                            for (int l = 0; l < kK; ++l)
                                                sum += A.op(t, i, l) * A.op(t, j, l);
                                            return kAlpha<T> * sum + kBeta<T> * C.entry(i, j);
                                        },
                                        [&](int i, int j) { return lower ? i >= j : i <= j; }));
        }
    print("syrk", worst);
}

/// All forms of a triangle a = op(A) beside B: calls check(a(i, j), side, uplo, trans, diag,
/// A).
template <class T, class Check>
void for_triangles(const Device& device, Check check_form) {
    for (cublasSideMode_t side : {CUBLAS_SIDE_LEFT, CUBLAS_SIDE_RIGHT})
        for (cublasFillMode_t uplo : {CUBLAS_FILL_MODE_LOWER, CUBLAS_FILL_MODE_UPPER})
            for (cublasOperation_t trans : kOperations)
                for (cublasDiagType_t diag : {CUBLAS_DIAG_NON_UNIT, CUBLAS_DIAG_UNIT}) {
                    const int size = side == CUBLAS_SIDE_LEFT ? kM : kN;
                    Matrix<T> A(device, size, size, 1);
                    const auto a = [&](int i, int j) -> double {
                        if (trans == CUBLAS_OP_T) std::swap(i, j);
                        if (i == j) return diag == CUBLAS_DIAG_UNIT ? 1 : A.entry(i, i);
                        return (i > j) == (uplo == CUBLAS_FILL_MODE_LOWER) ? A.entry(i, j) : 0;
                    };
                    check_form(a, side, uplo, trans, diag, A);
                }
}

/// (a X)(i, j) or (X a)(i, j).
template <class Triangle, class T>
double product(const Triangle& a, cublasSideMode_t side, Matrix<T>& X, int i, int j) {
    double sum = 0;
    if (side == CUBLAS_SIDE_LEFT)
        for (int l = 0; l < X.rows; ++l) sum += a(i, l) * X.entry(l, j);
    else
        for (int l = 0; l < X.columns; ++l) sum += X.entry(i, l) * a(l, j);
    return sum;
}

template <class T>
void trmm(const Device& device) {
    double worst = 0;
    for_triangles<T>(device, [&](const auto& a, auto side, auto uplo, auto trans, auto diag,
                                 Matrix<T>& A) {
        Matrix<T> B(device, kM, kN, 2), C(device, kM, kN, 3);
        check(
            Calls<T>::trmm(device.blas(), side, uplo, trans, diag, kM, kN, &kAlpha<T>,
                           A.device.data(), A.ld, B.device.data(), B.ld, C.device.data(), C.ld),
            "multiply");
        worst = std::max(
            worst, C.error([&](int i, int j) { return kAlpha<T> * product(a, side, B, i, j); },
                           kEverywhere));
    });
    print("trmm", worst);
}

/// The solution times a has to give alpha B.
template <class T>
void trsm(const Device& device) {
    double worst = 0;
    for_triangles<T>(
        device, [&](const auto& a, auto side, auto uplo, auto trans, auto diag, Matrix<T>& A) {
            Matrix<T> B(device, kM, kN, 2), X(device, kM, kN, 2);
            check(Calls<T>::trsm(device.blas(), side, uplo, trans, diag, kM, kN, &kAlpha<T>,
                                 A.device.data(), A.ld, X.device.data(), X.ld),
                  "solve");
            X.device.download(X.host.data(), X.device.size());
            for (int i = 0; i < kM; ++i)
                for (int j = 0; j < kN; ++j)
                    worst = std::max(
                        worst, std::abs(product(a, side, X, i, j) - kAlpha<T> * B.entry(i, j)));
        });
    print("trsm", worst);
}

template <class T>
void geam(const Device& device) {
    double worst = 0;
    for (cublasOperation_t ta : kOperations)
        for (cublasOperation_t tb : kOperations) {
            const bool at = ta == CUBLAS_OP_T, bt = tb == CUBLAS_OP_T;
            Matrix<T> A(device, at ? kN : kM, at ? kM : kN, 1);
            Matrix<T> B(device, bt ? kN : kM, bt ? kM : kN, 2), C(device, kM, kN, 3);
            check(Calls<T>::geam(device.blas(), ta, tb, kM, kN, &kAlpha<T>, A.device.data(),
                                 A.ld, &kBeta<T>, B.device.data(), B.ld, C.device.data(), C.ld),
                  "add");
            worst = std::max(worst, C.error(
                                        [&](int i, int j) {
                                            return kAlpha<T> * A.op(at, i, j) +
                                                   kBeta<T> * B.op(bt, i, j);
                                        },
                                        kEverywhere));
        }
    print("geam", worst);
}

template <class T>
void all(const Device& device) {
    gemm<T>(device);
    batched<T>(device);
    gemv<T>(device);
    syrk<T>(device);
    trmm<T>(device);
    trsm<T>(device);
    geam<T>(device);
}

}  // namespace

Cases blas_cases() { return {{"blas float", all<float>}, {"blas double", all<double>}}; }

}  // namespace cases
