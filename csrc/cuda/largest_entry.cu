// SPDX-License-Identifier: Apache-2.0
// See largest_entry.h.
#include "largest_entry.h"

#include <algorithm>
#include <vector>

#include "launch.h"
#include "memory.h"
#include "reduce.h"

namespace fisher_select::cuda {
namespace {

constexpr int64_t kMostBlocks = 1024;

/// The largest absolute value of each block's entries, which lie gridDim.x blocks apart.
__global__ void find_largest(MatrixView matrix, double* largest) {
    __shared__ double shared[kThreads / kWarp];
    double most = 0.0;
    for (int64_t entry = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
         entry < matrix.rows * matrix.cols; entry += int64_t{gridDim.x} * blockDim.x)
        most = Larger{}(most, fabs(matrix.at(entry / matrix.cols, entry % matrix.cols)));
    most = block_reduce(most, Larger{}, shared);
    if (threadIdx.x == 0) largest[blockIdx.x] = most;
}

}  // namespace

double largest_entry(const Device& device, const MatrixView& matrix) {
    const int64_t blocks =
        std::min(kMostBlocks, ceil_div(matrix.rows * matrix.cols, int64_t{kThreads}));
    const DeviceBuffer<double> largest(device, {blocks}, "the largest entries",
                                       "use a part of the pool");
    launch(device, "find the largest entry", Grid{blocks}, &find_largest, matrix,
           largest.data());
    const std::vector<double> found = largest.download();
    return *std::max_element(found.begin(), found.end());
}

}  // namespace fisher_select::cuda
