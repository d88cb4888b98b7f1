// SPDX-License-Identifier: Apache-2.0
// See embedding.h.
#include "embedding.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace fisher_select::cuda {
namespace {

/// <element(k), basis[k, column]> over k < length for the lane's column; the sum of squares in
/// the last one. A half of the warp takes the even elements, the other the odd ones, and both
/// get the result.
template <class Element>
__device__ double coordinate(int64_t length, const double* basis, const Element& element) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp, column = lane % kColumns;
    double sum = 0.0;
    for (int64_t k = lane / kColumns; k < length; k += kWarp / kColumns) {
        const double value = element(k);
        sum += value * (column == kDirections ? value : basis[k * kColumns + column]);
    }
    return sum + __shfl_xor_sync(kAllLanes, sum, kColumns);
}

/// A warp a row. Writes the summaries and the points' squared norms; the largest |x|^2 goes to
/// `largest` as the bits of a double, of which those of NaN are above those of infinity.
/// Bytes: the arrays once; the bases stay in the cache. Flops: 32 (d + C) a row, float64.
template <bool kGradient>
__global__ void summarise(PointsView points, DirectionsView directions, SummaryView to,
                          double slack_share, double* squared_norms,
                          unsigned long long* largest) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    const int64_t warps = static_cast<int64_t>(gridDim.x) * blockDim.x / kWarp;
    const int64_t warp = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) / kWarp;
    unsigned long long most = 0;
    for (int64_t row = warp; row < points.rows(); row += warps) {
        const double x = coordinate(points.features.cols, directions.basis, [&](int64_t k) {
            return points.features.at(row, k) - directions.center[k];
        });
        double square = __shfl_sync(kAllLanes, x, kDirections), r = 0.0;
        const auto bits = static_cast<unsigned long long>(__double_as_longlong(square));
        most = bits > most ? bits : most;
        if constexpr (kGradient) {
            r = coordinate(points.probabilities.cols, directions.class_basis,
                           [&](int64_t c) { return points.residual(row, c); });
            square *= __shfl_sync(kAllLanes, r, kDirections);
        }
        double covered = 0.0;
        for (int first = 0; first < directions.coordinates; first += kWarp) {
            const int k = first + lane;
            const bool used = k < directions.coordinates;
            double value = x;
            if constexpr (kGradient) {
                const CoordinatePair pair = used ? directions.pairs[k] : CoordinatePair{0, 0};
                value = __shfl_sync(kAllLanes, x, pair.feature) *
                        __shfl_sync(kAllLanes, r, pair.label);
            }
            if (!used) continue;
            to.field(k + 1, row) = static_cast<float>(to.scale * value);
            covered += value * value;
        }
        const double rest = square - warp_reduce(covered, Plus{});
        if (lane != 0) continue;
        to.field(0, row) = static_cast<float>(to.scale * sqrt(rest > 0.0 ? rest : 0.0));
        to.slack[row] = static_cast<float>(to.scale * slack_share * sqrt(square));
        squared_norms[row] = square;
    }
    if (lane == 0) atomicMax(largest, most);
}

}  // namespace

Embedding::Embedding(const Device& device, const Context& context, const PointsView& points) {
    constexpr const char* kPurpose = "the pool's summaries";
    constexpr const char* kRemedy = "select from a part of the pool";
    const int64_t n = points.rows();
    context.progress("prepare", 0, 1);
    const Directions directions(device, context, points);
    const int fields = directions.view().coordinates + 1, parts = (fields + 3) / 4;
    parts_ = DeviceBuffer<float4>(device, {parts, n}, kPurpose, kRemedy);
    parts_.zero();  // fields of the last part that no coordinate has
    slack_ = DeviceBuffer<float>(device, {n}, kPurpose, kRemedy);
    squared_norms_ = DeviceBuffer<double>(device, {n}, kPurpose, kRemedy);
    DeviceBuffer<unsigned long long> largest(device, {1}, kPurpose, kRemedy);
    view_ = {parts_.data(), slack_.data(), parts, n, directions.scale()};

    const double slack_share = rounding_slack(
        points.features.cols + (points.gradient() ? points.probabilities.cols : 0));
    constexpr int64_t kBlocksEach = 8;  // of a multiprocessor: as many threads as it holds
    const Grid grid{
        std::min(ceil_div(n, kThreads / kWarp), kBlocksEach * device.multiprocessors())};
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
