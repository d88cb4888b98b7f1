// SPDX-License-Identifier: Apache-2.0
// See directions.h.
#include "directions.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "subspace.h"

namespace fisher_select::cuda {
namespace {

constexpr int64_t kSampleRows = 1024;
constexpr const char* kPurpose = "a sample of the pool";
constexpr const char* kRemedy = "select from a part of the pool";

/// Rows spread evenly over the pool, in float64; a thread an element.
__global__ void gather_features(PointsView points, int64_t count, double* to) {
    const int64_t at = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    const int64_t length = points.features.cols;
    if (at >= count * length) return;
    to[at] = points.features.at(at / length * points.rows() / count, at % length);
}

__global__ void gather_residuals(PointsView points, int64_t count, double* to) {
    const int64_t at = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    const int64_t classes = points.probabilities.cols;
    if (at >= count * classes) return;
    to[at] = points.residual(at / classes * points.rows() / count, at % classes);
}

using Gather = void (*)(PointsView, int64_t, double*);

/// Sample [count, length].
Buffer<double> draw_sample(const Device& device, const PointsView& points, int64_t count,
                           int64_t length, Gather gather) {
    DeviceBuffer<double> rows(device, {count, length}, kPurpose, kRemedy);
    launch(device, "gather a sample of the pool", one_thread_each(count * length), gather,
           points, count, rows.data());
    Buffer<double> sample({count, length}, kPurpose, kRemedy);
    rows.download(sample.data(), rows.size());
    return sample;
}

/// Takes the mean off the rows and returns it: [length].
std::vector<double> take_off_mean(Buffer<double>& sample, int64_t count, int64_t length) {
    std::vector<double> mean(static_cast<size_t>(length));
    for (int64_t i = 0; i < count; ++i)
        for (int64_t k = 0; k < length; ++k)
            mean[static_cast<size_t>(k)] += sample[i * length + k] / static_cast<double>(count);
    for (int64_t i = 0; i < count; ++i)
        for (int64_t k = 0; k < length; ++k)
            sample[i * length + k] -= mean[static_cast<size_t>(k)];
    return mean;
}

double largest_square(const Buffer<double>& sample, int64_t count, int64_t length) {
    double largest = 0.0;
    for (int64_t i = 0; i < count; ++i) {
        const double* row = sample.data() + i * length;
        largest = std::max(largest, std::inner_product(row, row + length, row, 0.0));
    }
    return largest;
}

/// basis [count, length] as columns [length, kColumns], on the device.
DeviceBuffer<double> upload_basis(const Device& device, const Buffer<double>& basis,
                                  int64_t count, int64_t length) {
    std::vector<double> columns(static_cast<size_t>(length * kColumns));
    for (int64_t k = 0; k < length; ++k)
        for (int64_t j = 0; j < count; ++j)
            columns[static_cast<size_t>(k * kColumns + j)] = basis[j * length + k];
    DeviceBuffer<double> on_device(device, {length, kColumns}, kPurpose, kRemedy);
    on_device.upload(columns.data(), on_device.size());
    return on_device;
}

/// Coordinates [count, directions] of a sample [count, length] along basis [directions,
/// length].
Buffer<double> coordinates(const Blas& blas, const Buffer<double>& sample, int64_t count,
                           const Buffer<double>& basis, int64_t directions, int64_t length) {
    Buffer<double> along({count, directions}, kPurpose, kRemedy);
    const int q = static_cast<int>(directions), m = static_cast<int>(count),
              d = static_cast<int>(length);
    blas.gemm('T', 'N', q, m, d, 1.0, basis.data(), d, sample.data(), d, 0.0, along.data(), q);
    return along;
}

/// The pairs with the largest mean square; x [count, kDirections], r [count, directions].
std::vector<CoordinatePair> leading_pairs(const Buffer<double>& x, const Buffer<double>& r,
                                          int64_t count, int64_t directions) {
    const auto square_sum = [&](const CoordinatePair& pair) {
        double sum = 0.0;
        for (int64_t i = 0; i < count; ++i) {
            const double product =
                x[i * kDirections + pair.feature] * r[i * directions + pair.label];
            sum += product * product;
        }
        return sum;
    };
    std::vector<std::pair<double, CoordinatePair>> ranked;
    for (int32_t feature = 0; feature < kDirections; ++feature)
        for (int32_t label = 0; label < directions; ++label) {
            const CoordinatePair pair{feature, label};
            ranked.emplace_back(square_sum(pair), pair);
        }
    std::stable_sort(ranked.begin(), ranked.end(),
                     [](const auto& a, const auto& b) { return a.first > b.first; });
    std::vector<CoordinatePair> pairs;
    for (const auto& [square, pair] : ranked)
        if (pairs.size() < kMostCoordinates) pairs.push_back(pair);
    return pairs;
}

}  // namespace

Directions::Directions(const Device& device, const Context& context, const PointsView& points) {
    const int64_t count = std::min(points.rows(), kSampleRows), d = points.features.cols;
    Buffer<double> sample = draw_sample(device, points, count, d, &gather_features);
    std::vector<double> mean(static_cast<size_t>(d));
    // A gradient is no product any more once its mean is taken off.
    if (!points.gradient()) mean = take_off_mean(sample, count, d);
    center_ = DeviceBuffer<double>(device, {d}, kPurpose, kRemedy);
    center_.upload(mean.data(), d);
    const double largest = largest_square(sample, count, d);
    require_no_overflow(std::sqrt(largest));
    if (largest > 0.0) scale_ = std::exp2(-std::ceil(0.5 * std::log2(largest)));
    const Buffer<double> basis =
        leading_directions(context.blas, sample, count, d, kDirections);
    basis_ = upload_basis(device, basis, kDirections, d);
    view_.center = center_.data();
    view_.basis = basis_.data();
    view_.coordinates = kDirections;
    if (!points.gradient()) return;

    const int64_t classes = points.probabilities.cols;
    const Buffer<double> residuals =
        draw_sample(device, points, count, classes, &gather_residuals);
    // Residuals add up to 0: one direction fewer than classes holds them whole.
    const int64_t directions =
        std::clamp<int64_t>(classes - 1, 1, static_cast<int64_t>(kDirections));
    const Buffer<double> class_basis =
        leading_directions(context.blas, residuals, count, classes, directions);
    class_basis_ = upload_basis(device, class_basis, directions, classes);
    view_.class_basis = class_basis_.data();
    const std::vector<CoordinatePair> pairs = leading_pairs(
        coordinates(context.blas, sample, count, basis, kDirections, d),
        coordinates(context.blas, residuals, count, class_basis, directions, classes), count,
        directions);
    view_.coordinates = static_cast<int>(pairs.size());
    pairs_ = DeviceBuffer<CoordinatePair>(device, {view_.coordinates}, kPurpose, kRemedy);
    pairs_.upload(pairs.data(), view_.coordinates);
    view_.pairs = pairs_.data();
}

}  // namespace fisher_select::cuda
