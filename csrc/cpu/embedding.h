// SPDX-License-Identifier: Apache-2.0
// The points whose distances are asked for (exact_distance.h), each with a short float32
// summary that bounds its distances from below.
#pragma once

#include <cstdint>
#include <string>

#include "buffer.h"
#include "context.h"
#include "distance_kernels.h"
#include "exact_distance.h"
#include "shard.h"
#include "view.h"

namespace fisher_select::cpu {

class Embedding {
public:
    /// Summarises all rows: one reading of the arrays, 2 n d q flops (q = 16).
    /// `probabilities` without data: the points are the features. `ranks`: of a pool that
    /// several processes hold, else nullptr; all of them summarise alike, each its own rows.
    /// NumericalError where squared distances overflow.
    Embedding(const Context& context, const VectorsView& features,
              const MatrixView& probabilities, int64_t chunk_rows,
              const std::string& instruction_set, const Collective* ranks);

    int64_t rows() const { return exact_.rows(); }
    int64_t length() const { return exact_.length(); }
    int64_t classes() const { return exact_.classes(); }
    bool gradient() const { return exact_.gradient(); }
    const DistanceKernels& kernels() const { return kernels_; }
    int fields() const { return gradient() ? kGradientFields : kFeatureFields; }
    const float* summary(int64_t row) const { return summaries_.data() + row * fields(); }
    /// The summary of a point of any rank, to [fields].
    void summarise(const Point& point, float* to) const;

    /// |g|^2 of a row; gradients only.
    double squared_norm(int64_t row) const { return squared_norms_[row]; }
    /// The largest |x| on any rank, features less their mean where the points are features.
    double largest_norm() const { return largest_norm_; }

    const ExactDistance& exact() const { return exact_; }
    double squared_distance(int64_t row, const Point& center) const {
        return exact_(exact_.point(row), center);
    }

    /// A point for float32 products: to x [length] scale times what `largest_norm` is over, to
    /// r [classes] the residual of a gradient. Returns the scaled point's squared norm.
    /// scratch [max(length, classes)].
    double pack(const Point& point, double scale, double* scratch, float* x, float* r) const;

    /// The limit that `scan` takes for centres nearer to the row than this distance, squared.
    float limit(int64_t row, double squared) const;

    /// Centres lie in blocks of kLanes; see DistanceKernels for these two.
    int64_t scan(int64_t row, const float* centers, int64_t block, int64_t end, float limit,
                 uint32_t* mask) const {
        return (gradient() ? kernels_.scan_gradients : kernels_.scan_features)(
            summary(row), centers, block, end, limit, mask);
    }

    int64_t smallest_bound(int64_t row, const float* centers, int64_t block,
                           int64_t end) const {
        return (gradient()
                    ? kernels_.smallest_gradient_bound
                    : kernels_.smallest_feature_bound)(summary(row), centers, block, end);
    }

private:
    struct Worker;

    template <class Load>
    Buffer<double> sample(int64_t width, const Load& load) const;
    void find_directions(const Context& context);
    double summarise_all(const Context& context);
    double summarise_rows(int64_t begin, int64_t count, Worker& worker);
    void store_features(double square, const double* coordinates, float* to) const;
    void store_gradient(double square, const double* coordinates, double class_square,
                        const double* class_coordinates, float* to) const;

    const DistanceKernels& kernels_;
    ExactDistance exact_;
    const Collective* ranks_;
    int64_t chunk_rows_;
    double scale_ = 1.0;  // power of two that brings norms near 1
    double largest_norm_ = 0.0;
    double slack_;                  // share of a norm that rounding may add to a rest
    Buffer<double> center_;         // [d], taken off features; distances do not change
    Buffer<double> basis_;          // [d, kLanes], a direction a column
    Buffer<double> class_basis_;    // [C, kLanes]
    Buffer<double> class_zeros_;    // [C], taken off residuals
    Buffer<double> squared_norms_;  // [n]
    Buffer<float> summaries_;       // [n, fields]
};

}  // namespace fisher_select::cpu
