// SPDX-License-Identifier: Apache-2.0
// Contiguous rows and likeliest classes; see exact_distance.h.
#include "exact_distance.h"

namespace fisher_select::cuda {
namespace {

/// A thread an element. Bytes: the array once, by sectors where its elements lie apart, and
/// the copy.
template <class T>
__global__ void copy_elements(MatrixView from, T* to) {
    const int64_t at = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (at >= from.rows * from.cols) return;
    const int64_t row = at / from.cols, column = at % from.cols;
    to[at] = static_cast<const T*>(from.data)[row * from.row_stride + column * from.col_stride];
}

/// The matrix as it lies where its rows are contiguous, else in `copy`, in its own width.
MatrixView contiguous(const Device& device, const MatrixView& v,
                      DeviceBuffer<std::byte>& copy) {
    if (v.data == nullptr || v.col_stride == 1) return v;
    const bool single = v.dtype == DType::float32;
    const int64_t width = static_cast<int64_t>(single ? sizeof(float) : sizeof(double));
    copy =
        DeviceBuffer<std::byte>(device, {v.rows, v.cols, width}, "a copy with contiguous rows",
                                "pass arrays in C order, which are read in place");
    constexpr const char* kAsked = "copy an array to contiguous rows";
    const Grid grid = one_thread_each(v.rows * v.cols);
    if (single)
        launch(device, kAsked, grid, &copy_elements<float>, v,
               reinterpret_cast<float*>(copy.data()));
    else
        launch(device, kAsked, grid, &copy_elements<double>, v,
               reinterpret_cast<double*>(copy.data()));
    return {copy.data(), v.dtype, v.rows, v.cols, v.cols, 1};
}

/// The likeliest class of a row, ties to the lowest; a thread a row. Bytes: the array once.
__global__ void find_likely(MatrixView probabilities, int32_t* likely) {
    const int64_t row = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (row >= probabilities.rows) return;
    int32_t best = 0;
    double largest = probabilities.at(row, 0);
    for (int64_t c = 1; c < probabilities.cols; ++c) {
        const double p = probabilities.at(row, c);
        if (p > largest) {
            largest = p;
            best = static_cast<int32_t>(c);
        }
    }
    likely[row] = best;
}

}  // namespace

ExactDistance::ExactDistance(const Device& device, const VectorsView& features,
                             const MatrixView& probabilities)
    : view_{contiguous(device,
                       {features.data, features.dtype, features.rows, features.length,
                        features.row_stride, features.element_stride},
                       features_copy_),
            contiguous(device, probabilities, probabilities_copy_), nullptr} {
    if (!view_.gradient()) return;
    likely_ = DeviceBuffer<int32_t>(device, {view_.rows()}, "the pool's classes",
                                    "select from a part of the pool");
    launch(device, "find the likeliest classes", one_thread_each(view_.rows()), &find_likely,
           view_.probabilities, likely_.data());
    view_.likely = likely_.data();
}

}  // namespace fisher_select::cuda
