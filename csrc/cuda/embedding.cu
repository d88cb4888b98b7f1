// SPDX-License-Identifier: Apache-2.0
// See embedding.h.
#include "embedding.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace fisher_select::cuda {
namespace {

/// Where a warp's lane stands: half the warp takes the even elements of a row, half the odd
/// ones, and of each half a lane takes one coordinate, the last the squared norm.
struct Place {
    int half, field;

    __device__ Place()
        : half(static_cast<int>(threadIdx.x) % kWarp / kLaneFields),
          field(static_cast<int>(threadIdx.x) % kLaneFields) {}
    __device__ bool norm() const { return field == kCoordinates; }
};

/// <element(k), basis[k, field]> over k < length for the lane's field, or the sum of squares.
template <class Element>
__device__ double coordinate(const Place& place, int64_t length, const double* basis,
                             const Element& element) {
    double sum = 0.0;
    for (int64_t k = place.half; k < length; k += 2) {
        const double value = element(k);
        sum += value * (place.norm() ? value : basis[k * kLaneFields + place.field]);
    }
    return sum + __shfl_xor_sync(kAllLanes, sum, kLaneFields);
}

/// The lane's coordinate of x (x) r out of theirs, or |x|^2 |r|^2.
__device__ double product_coordinate(const Place& place, const ProductPairs& pairs, double x,
                                     double r) {
    const int feature = place.norm() ? kCoordinates : pairs.feature[place.field];
    const int label = place.norm() ? kCoordinates : pairs.label[place.field];
    return __shfl_sync(kAllLanes, x, feature) * __shfl_sync(kAllLanes, r, label);
}

/// A warp a row. Writes the summaries and the points' squared norms; the largest |x|^2 goes to
/// `largest` as the bits of a double, of which those of NaN are above those of infinity.
/// Bytes: the arrays once; the bases stay in the cache. Flops: 32 (d + C) a row, float64.
template <bool kGradient>
__global__ void summarise(PointsView points, DirectionsView directions, SummaryView to,
                          double slack_share, double* squared_norms,
                          unsigned long long* largest) {
    const Place place;
    const int64_t warps = static_cast<int64_t>(gridDim.x) * blockDim.x / kWarp;
    const int64_t first =
        (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) / kWarp;
    unsigned long long most = 0;
    for (int64_t row = first; row < points.rows(); row += warps) {
        double value = coordinate(
            place, points.features.cols, directions.basis,
            [&](int64_t k) { return points.features.at(row, k) - directions.center[k]; });
        const double feature_square = __shfl_sync(kAllLanes, value, kCoordinates);
        const auto bits =
            static_cast<unsigned long long>(__double_as_longlong(feature_square));
        most = bits > most ? bits : most;
        if constexpr (kGradient) {
            const double label =
                coordinate(place, points.probabilities.cols, directions.class_basis,
                           [&](int64_t c) { return points.residual(row, c); });
            value = product_coordinate(place, directions.pairs, value, label);
        }
        const double square = __shfl_sync(kAllLanes, value, kCoordinates);
        const double part = place.half == 0 && !place.norm() ? value * value : 0.0;
        const double rest = square - warp_reduce(part, Plus{});
        if (place.half == 0) {
            // Field 0 is the rest: the lane of the norm writes it, the others one further.
            const int field = place.norm() ? 0 : place.field + 1;
            const double written = place.norm() ? sqrt(rest > 0.0 ? rest : 0.0) : value;
            reinterpret_cast<float*>(to.parts)[(field / 4 * to.rows + row) * 4 + field % 4] =
                static_cast<float>(to.scale * written);
            if (place.norm()) {
                to.slack[row] = static_cast<float>(to.scale * slack_share * sqrt(square));
                squared_norms[row] = square;
            }
        }
    }
    if (threadIdx.x % kWarp == 0) atomicMax(largest, most);
}

}  // namespace

Embedding::Embedding(const Device& device, const Context& context, const PointsView& points) {
    constexpr const char* kPurpose = "the pool's summaries";
    constexpr const char* kRemedy = "select from a part of the pool";
    const int64_t n = points.rows();
    context.progress("prepare", 0, 1);
    const Directions directions(device, context, points);
    parts_ = DeviceBuffer<float4>(device, {kParts, n}, kPurpose, kRemedy);
    slack_ = DeviceBuffer<float>(device, {n}, kPurpose, kRemedy);
    squared_norms_ = DeviceBuffer<double>(device, {n}, kPurpose, kRemedy);
    DeviceBuffer<unsigned long long> largest(device, {1}, kPurpose, kRemedy);
    view_ = {parts_.data(), slack_.data(), n, directions.scale()};

    const double slack_share =
        rounding_slack(points.features.cols + (points.gradient() ? points.probabilities.cols : 0));
    constexpr int64_t kBlocksEach = 8;  // of a multiprocessor: as many threads as it holds
    const Grid grid{std::min(ceil_div(n, kThreads / kWarp),
                             kBlocksEach * device.multiprocessors())};
    const auto summarise_all = [&] {
        largest.zero();
        launch(device, "summarise the pool", grid,
               points.gradient() ? &summarise<true> : &summarise<false>, points,
               directions.view(), view_, slack_share, squared_norms_.data(), largest.data());
        return std::sqrt(std::bit_cast<double>(largest.download()[0]));
    };
    const double norm = summarise_all();
    require_no_overflow(norm);
    // The scale was the sample's; far outliers could overflow float32 with it.
    const double scaled = norm * view_.scale;
    if (scaled > 0x1p40 || (scaled > 0.0 && scaled < 0x1p-40)) {
        view_.scale = std::exp2(-std::ceil(std::log2(norm)));
        summarise_all();
    }
}

}  // namespace fisher_select::cuda
