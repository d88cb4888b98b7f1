// SPDX-License-Identifier: Apache-2.0
// The directions along which summaries split a point: found on a sample, on the host.
#pragma once

#include <cstdint>

#include "context.h"
#include "exact_distance.h"

namespace fisher_select::cuda {

constexpr int kCoordinates = 15;  // of a summary, beside the norm of the rest
constexpr int kLaneFields = 16;   // half a warp: the coordinates, and the squared norm

/// NumericalError where squares of distances between points of such norms overflow.
inline void require_no_overflow(double largest_norm) {
    if (!(largest_norm < kLargestNorm))
        throw NumericalError("squared distances overflow: scale the features down", 0);
}

/// Which product of a feature coordinate and a class coordinate each coordinate of a gradient
/// is.
struct ProductPairs {
    int32_t feature[kCoordinates];
    int32_t label[kCoordinates];
};

struct DirectionsView {
    const double* center;       // [d], taken off features; distances do not change
    const double* basis;        // [d, kLaneFields] orthonormal columns, the last one unused
    const double* class_basis;  // [C, kLaneFields] likewise; gradients only
    ProductPairs pairs;         // gradients only
};

/// About the leading principal directions U of features less their mean. For gradients
/// u_i (x) w_j, with U of the features and W of the residuals: orthonormal as U and W are, and
/// never formed. Of these products the kCoordinates with the largest mean square: on network
/// embeddings they rule out nearly all that the 15 x 14 inner products of the CPU's summaries
/// do (0.63 against 0.40 % left to BADGE on digits, where 0.38 % do come nearer), and a pick
/// reads half as much.
///
/// The sample is 1024 rows and the search 0.1 GFLOP at d = 512, some milliseconds: the host's
/// BLAS does it with the very code of the CPU backend.
class Directions {
public:
    Directions(const Device& device, const Context& context, const PointsView& points);

    const DirectionsView& view() const { return view_; }
    /// A power of two that brings the sample's norms near 1.
    double scale() const { return scale_; }

private:
    DeviceBuffer<double> center_, basis_, class_basis_;
    DirectionsView view_{};
    double scale_ = 1.0;
};

}  // namespace fisher_select::cuda
