// SPDX-License-Identifier: Apache-2.0
// The points whose distances are asked for: features x_i, or the gradients x_i (x) r_i of a
// softmax last layer, r = e_yhat - p. Distances between two rows are exact, in float64 from
// the caller's arrays; a short float32 summary of each row bounds them from below. Nothing of
// size n x C d exists.
#pragma once

#include <cstdint>
#include <string>

#include "buffer.h"
#include "context.h"
#include "distance_kernels.h"
#include "view.h"

namespace fisher_select::cpu {

class Embedding {
public:
    /// Summarises all rows: one reading of the arrays, 2 n d q flops (q about 15).
    /// `probabilities` without data: the points are the features. NumericalError where squared
    /// distances overflow.
    Embedding(const Context& context, const VectorsView& features,
              const MatrixView& probabilities, int64_t chunk_rows,
              const std::string& instruction_set);

    int64_t rows() const { return features_.rows; }
    bool gradient() const { return probabilities_.data != nullptr; }
    int fields() const { return gradient() ? kGradientFields : kFeatureFields; }
    const float* summary(int64_t row) const { return summaries_.data() + row * fields(); }

    /// |g|^2 of a row; gradients only.
    double squared_norm(int64_t row) const { return squared_norms_[row]; }

    /// Squared distance of a row from a centre (another row): summed from differences, so that
    /// it is exactly 0 between equal rows. A function of the two rows alone.
    double squared_distance(int64_t row, int64_t center) const {
        return gradient() ? gradient_distance(row, center) : feature_distance(row, center);
    }

    /// The limit that `scan` takes for centres nearer to the row than this distance, squared.
    float limit(int64_t row, double squared) const;

    /// See DistanceKernels::scan_features; centres in blocks of kLanes.
    int64_t scan(int64_t row, const float* centers, int64_t block, int64_t end, float limit,
                 uint32_t* mask) const {
        return (gradient() ? kernels_.scan_gradients : kernels_.scan_features)(
            summary(row), centers, block, end, limit, mask);
    }

private:
    struct Worker;

    double feature_distance(int64_t row, int64_t center) const;
    double gradient_distance(int64_t row, int64_t center) const;
    void find_directions(const Context& context);
    int32_t load_residual(int64_t row, double* to) const;
    double summarise(const Context& context, int64_t begin, int64_t count, Worker& worker);
    void store_features(int64_t row, double square, const double* coordinates);
    void store_gradient(int64_t row, double square, const double* coordinates,
                        double class_square, const double* class_coordinates);

    VectorsView features_;
    MatrixView probabilities_;
    const DistanceKernels& kernels_;
    int64_t chunk_rows_;
    double scale_ = 1.0;            // power of two that brings norms near 1
    double slack_;                  // share of a norm that rounding may add to a rest
    Buffer<double> center_;         // [d], taken off features; distances do not change
    Buffer<double> basis_;          // [coordinates, d]
    Buffer<double> class_basis_;    // [class coordinates, C]
    Buffer<int32_t> likely_;        // [n] yhat; ties to the lowest class
    Buffer<double> squared_norms_;  // [n]
    Buffer<float> summaries_;       // [n, fields]
};

}  // namespace fisher_select::cpu
