// SPDX-License-Identifier: Apache-2.0
// Squared distances between rows as the results report them: features x_i, or the gradients
// x_i (x) r_i of a softmax last layer, r = e_yhat - p, summed in float64 from the caller's
// float32 or float64. Nothing of size n x C d exists.
#pragma once

#include <cstddef>
#include <cstdint>

#include "buffer.h"
#include "context.h"
#include "distance_kernels.h"
#include "view.h"

namespace fisher_select::cpu {

class ExactDistance {
public:
    /// Rows whose elements lie apart (Fortran order) cost a cache line an element at every
    /// distance, so such an array is copied once, whole; others are read where they are.
    /// `probabilities` without data: the points are the features.
    ExactDistance(const Context& context, const VectorsView& features,
                  const MatrixView& probabilities, const DistanceKernels& kernels);

    int64_t rows() const { return features_.rows; }
    int64_t length() const { return features_.length; }
    int64_t classes() const { return probabilities_.length; }
    bool gradient() const { return probabilities_.data != nullptr; }

    /// Of two rows: exactly 0 where they are equal, and a function of the two alone.
    double operator()(int64_t row, int64_t center) const {
        return gradient() ? between_gradients(row, center) : between_features(row, center);
    }

    /// Coordinates [count, kLanes] and squared norms [count] of rows [begin, begin + count) of
    /// the features, less `mean`; see DistanceKernels.
    void project(int64_t begin, int64_t count, const double* mean, const double* basis,
                 double* coordinates, double* squares) const;
    /// x of a row, to [length].
    void load_features(int64_t row, double* to) const;
    /// r = e_yhat - p of a row, to [classes].
    void load_residual(int64_t row, double* to) const;

private:
    double between_features(int64_t row, int64_t center) const;
    double between_gradients(int64_t row, int64_t center) const;
    double residual(int64_t row, int64_t c) const {
        return (c == likely_[row] ? 1.0 : 0.0) - probabilities_.at(row, 0, c);
    }

    Buffer<std::byte> features_copy_, probabilities_copy_;
    VectorsView features_;       // [n, d], rows contiguous
    VectorsView probabilities_;  // [n, C], rows contiguous
    Buffer<int32_t> likely_;     // [n] yhat; ties to the lowest class
    const DistanceKernels& kernels_;
};

}  // namespace fisher_select::cpu
