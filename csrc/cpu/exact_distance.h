// SPDX-License-Identifier: Apache-2.0
// Squared distances between points as the results report them: features x_i, or the gradients
// x_i (x) r_i of a softmax last layer, r = e_yhat - p, summed in float64 from the caller's
// float32 or float64. Nothing of size n x C d exists.
#pragma once

#include <cstddef>
#include <cstdint>

#include "buffer.h"
#include "context.h"
#include "distance_kernels.h"
#include "scattered_rows.h"
#include "view.h"

namespace fisher_select::cpu {

/// A point where it lies, in the pool or elsewhere: vectors contiguous, in the pool's widths.
struct Point {
    const void* features = nullptr;       // [d]
    const void* probabilities = nullptr;  // [C] of a gradient
    int32_t likely = 0;                   // its yhat; ties to the lowest class
};

class ExactDistance {
public:
    /// Rows whose elements lie apart (Fortran order) cost a cache line an element at every
    /// distance, so such an array is copied once, whole; others are read where they are.
    /// `probabilities` without data: the points are the features. Of a mapped file no more than
    /// a window is held, whoever reads.
    ExactDistance(const Context& context, const VectorsView& features,
                  const MatrixView& probabilities, const DistanceKernels& kernels);

    int64_t rows() const { return features_.rows; }
    int64_t length() const { return features_.length; }
    int64_t classes() const { return probabilities_.length; }
    bool gradient() const { return probabilities_.data != nullptr; }

    Point point(int64_t row) const;

    /// Exactly 0 where the two are equal, and a function of the two alone.
    double operator()(const Point& a, const Point& center) const {
        reads(a);
        reads(center);
        return gradient() ? between_gradients(a, center) : between_features(a, center);
    }

    /// Coordinates [count, kLanes] and squared norms [count] of rows [begin, begin + count) of
    /// the features, less `mean`; see DistanceKernels.
    void project(int64_t begin, int64_t count, const double* mean, const double* basis,
                 double* coordinates, double* squares) const;
    /// x of a point, to [length].
    void load_features(const Point& point, double* to) const;
    /// r = e_yhat - p of a point, to [classes].
    void load_residual(const Point& point, double* to) const;

    /// x and p of a point, to [length + classes]: float64 holds either width exactly.
    void load(const Point& point, double* values) const;
    /// The point that `load` had these values of, laid down in `room` [room_bytes], aligned.
    Point lay_down(const double* values, std::byte* room) const;
    int64_t room_bytes() const;

private:
    double between_features(const Point& a, const Point& center) const;
    double between_gradients(const Point& a, const Point& center) const;
    int32_t likeliest(const void* probabilities) const;
    void reads(const Point& point) const {
        features_read_.reads(point.features);
        if (gradient()) probabilities_read_.reads(point.probabilities);
    }
    double residual(const Point& a, int64_t c) const {
        return (c == a.likely ? 1.0 : 0.0) - value_at(a.probabilities, probabilities_.dtype, c);
    }

    Buffer<std::byte> features_copy_, probabilities_copy_;
    VectorsView features_;       // [n, d], rows contiguous
    VectorsView probabilities_;  // [n, C], rows contiguous
    mutable ScatteredRows features_read_, probabilities_read_;
    Buffer<int32_t> likely_;  // [n]
    const DistanceKernels& kernels_;
};

}  // namespace fisher_select::cpu
