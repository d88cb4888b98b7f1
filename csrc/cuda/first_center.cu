// SPDX-License-Identifier: Apache-2.0
// See first_center.h.
#include "first_center.h"

#include <algorithm>

#include "launch.h"
#include "memory.h"
#include "nearest_center.h"

namespace fisher_select::cuda {
namespace {

constexpr const char* kPurpose = "the search for a first centre";
constexpr const char* kRemedy = "pass `first`";
constexpr int kWarps = kThreads / kWarp;
constexpr int64_t kPartRows = 1024;    // summed by one thread a column
constexpr int64_t kMostParts = 65535;  // blocks along y

struct Best {
    double* key;
    int64_t* row;
};

/// Sums [parts, d] over the rows of each part; a thread a column, neighbours read neighbours.
__global__ void sum_parts(VectorsView x, int64_t part_rows, double* sums) {
    const int64_t k = int64_t{blockIdx.x} * blockDim.x + threadIdx.x, part = blockIdx.y;
    if (k >= x.length) return;
    const int64_t end = (part + 1) * part_rows < x.rows ? (part + 1) * part_rows : x.rows;
    double sum = 0.0;
    for (int64_t row = part * part_rows; row < end; ++row) sum += x.at(row, 0, k);
    sums[part * x.length + k] = sum;
}

/// The mean [d] out of the sums, in the order of the parts; a thread a column.
__global__ void take_mean(const double* sums, int64_t parts, int64_t rows, int64_t length,
                          double* mean) {
    const int64_t k = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (k >= length) return;
    double sum = 0.0;
    for (int64_t part = 0; part < parts; ++part) sum += sums[part * length + k];
    mean[k] = sum / static_cast<double>(rows);
}

/// |x - mean|^2 of a row, or |x|^2 without a mean; every lane of the warp gets it.
__device__ double feature_square(const VectorsView& x, int64_t row, const double* mean) {
    double sum = 0.0;
    for (int64_t k = threadIdx.x % kWarp; k < x.length; k += kWarp) {
        const double difference = x.at(row, 0, k) - (mean != nullptr ? mean[k] : 0.0);
        sum += difference * difference;
    }
    return warp_reduce(sum, Plus{});
}

/// |e_yhat - p|^2 of a row; every lane of the warp gets it.
__device__ double residual_square(const MatrixView& p, int64_t row) {
    double largest = -HUGE_VAL, sum = 0.0;
    int64_t likely = INT64_MAX;
    for (int64_t c = threadIdx.x % kWarp; c < p.cols; c += kWarp)
        if (p.at(row, c) > largest) {
            largest = p.at(row, c);
            likely = c;
        }
    const double most = warp_reduce(largest, Larger{});
    likely = warp_reduce(largest == most ? likely : INT64_MAX, Lower{});
    for (int64_t c = threadIdx.x % kWarp; c < p.cols; c += kWarp) {
        const double r = (c == likely ? 1.0 : 0.0) - p.at(row, c);
        sum += r * r;
    }
    return warp_reduce(sum, Plus{});
}

/// The best row of each block's kWarps, a warp a row; `mean` is null for gradients.
__global__ void rank_rows(VectorsView x, MatrixView p, const double* mean, Best best) {
    __shared__ double keys[kWarps];
    __shared__ int64_t rows[kWarps];
    int64_t row = (int64_t{blockIdx.x} * blockDim.x + threadIdx.x) / kWarp;
    double key = kExcluded;
    if (row < x.rows) {
        const double square = feature_square(x, row, mean);
        key = mean != nullptr ? -square : square * residual_square(p, row);
        if (key != key) key = kExcluded;  // overflowed, which the selection reports
    } else {
        row = INT64_MAX;
    }
    block_best(key, row, keys, rows);
    if (threadIdx.x != 0) return;
    best.key[blockIdx.x] = key;
    best.row[blockIdx.x] = row;
}

/// The best of all to the front; one block.
__global__ void take_best(Best best, int64_t count) {
    __shared__ double keys[kWarps];
    __shared__ int64_t rows[kWarps];
    double key = kExcluded;
    int64_t row = INT64_MAX;
    for (int64_t i = threadIdx.x; i < count; i += blockDim.x)
        if (row == INT64_MAX || best.key[i] > key) {
            key = best.key[i];
            row = best.row[i];
        }
    block_best(key, row, keys, rows);
    if (threadIdx.x == 0) best.row[0] = row;
}

DeviceBuffer<double> mean_of(const Device& device, const VectorsView& x) {
    const int64_t part_rows = std::max(kPartRows, ceil_div(x.rows, kMostParts));
    const int64_t parts = ceil_div(x.rows, part_rows);
    const DeviceBuffer<double> sums(device, {parts, x.length}, kPurpose, kRemedy);
    DeviceBuffer<double> mean(device, {x.length}, kPurpose, kRemedy);
    const Grid columns = one_thread_each(x.length);
    Grid all = columns;
    all.blocks_y = parts;
    launch(device, "sum the features", all, &sum_parts, x, part_rows, sums.data());
    launch(device, "take the mean of the features", columns, &take_mean, sums.data(), parts,
           x.rows, x.length, mean.data());
    return mean;
}

}  // namespace

int64_t first_center(const Device& device, const VectorsView& features,
                     const MatrixView& probabilities) {
    const bool gradient = probabilities.data != nullptr;
    const DeviceBuffer<double> mean =
        gradient ? DeviceBuffer<double>() : mean_of(device, features);
    const int64_t blocks = ceil_div(features.rows, int64_t{kWarps});
    const DeviceBuffer<double> keys(device, {blocks}, kPurpose, kRemedy);
    const DeviceBuffer<int64_t> rows(device, {blocks}, kPurpose, kRemedy);
    const Best best{keys.data(), rows.data()};
    launch(device, "look for a first centre", Grid{blocks}, &rank_rows, features, probabilities,
           mean.data(), best);
    launch(device, "take the first centre", Grid{1}, &take_best, best, blocks);
    int64_t row = 0;
    rows.download(&row, 1);
    return row;
}

}  // namespace fisher_select::cuda
