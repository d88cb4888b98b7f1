// SPDX-License-Identifier: Apache-2.0
// Squared distances between rows as the results report them: features x_i, or the gradients
// x_i (x) r_i of a softmax last layer, r = e_yhat - p, summed in float64 from the caller's
// float32 or float64. Nothing of size n x C d exists.
#pragma once

#include <cstddef>
#include <cstdint>

#include "distance.h"
#include "memory.h"
#include "reduce.h"
#include "view.h"

namespace fisher_select::cuda {

/// The points as kernels see them. Elements of a row are adjacent.
struct PointsView {
    MatrixView features;       // [n, d]
    MatrixView probabilities;  // [n, C]; no data: the points are the features
    const int32_t* likely;     // [n] yhat; ties to the lowest class

    __host__ __device__ int64_t rows() const { return features.rows; }
    __host__ __device__ bool gradient() const { return probabilities.data != nullptr; }
    __device__ __forceinline__ double residual(int64_t row, int64_t c) const {
        return (c == likely[row] ? 1.0 : 0.0) - probabilities.at(row, c);
    }
};

/// The squared distance of two rows by one warp: exactly 0 where they are equal, and a function
/// of the two alone. All lanes call it with the same rows, and all get the result.
/// T is the width of the features. Bytes: two rows, of which the centre's stays in the cache.
template <class T, bool kGradient>
__device__ double squared_distance(const PointsView& points, int64_t row, int64_t center) {
    const unsigned lane = threadIdx.x % kWarp;
    const T* a = static_cast<const T*>(points.features.data) + row * points.features.row_stride;
    const T* b =
        static_cast<const T*>(points.features.data) + center * points.features.row_stride;
    Difference x{0.0, 0.0, 0.0};
    for (int64_t k = lane; k < points.features.cols; k += kWarp) {
        const double right = b[k], difference = a[k] - right;
        x.square += difference * difference;
        if constexpr (kGradient) {
            x.along += difference * right;
            x.center += right * right;
        }
    }
    x.square = warp_reduce(x.square, Plus{});
    if constexpr (!kGradient) return x.square;

    Difference s{0.0, 0.0, 0.0};
    for (int64_t c = lane; c < points.probabilities.cols; c += kWarp) {
        const double r = points.residual(row, c), difference = points.residual(center, c) - r;
        s.square += difference * difference;
        s.along += difference * r;
        s.center += r * r;
    }
    x.along = warp_reduce(x.along, Plus{});
    x.center = warp_reduce(x.center, Plus{});
    s.square = warp_reduce(s.square, Plus{});
    s.along = warp_reduce(s.along, Plus{});
    s.center = warp_reduce(s.center, Plus{});
    return gradient_square(x, s);
}

/// The caller's arrays, ready for kernels.
class ExactDistance {
public:
    /// Rows whose elements lie apart (Fortran order) cost a sector of memory an element at
    /// every distance, so such an array is copied once, whole; others are read where they are.
    /// `probabilities` without data: the points are the features.
    ExactDistance(const Device& device, const VectorsView& features,
                  const MatrixView& probabilities);

    const PointsView& view() const { return view_; }

private:
    DeviceBuffer<std::byte> features_copy_, probabilities_copy_;
    DeviceBuffer<int32_t> likely_;  // [n]
    PointsView view_;
};

}  // namespace fisher_select::cuda
