// SPDX-License-Identifier: Apache-2.0
// Exact sums of distances to many references (ops.h) on a device: a block of threads takes a
// tile of rows past tiles of references, and keeps the squares of a tile's pairs in registers.
#include "mean_distance.h"

#include <algorithm>
#include <vector>

#include "device_rows.h"
#include "launch.h"
#include "memory.h"
#include "ops.h"
#include "pick_queue.h"
#include "pool_rows.h"
#include "reduce.h"

namespace fisher_select::cuda {
namespace {

constexpr int kTile = 64;             // rows, and references, of a tile
constexpr int kDepth = 16;            // elements of them in shared memory at once
constexpr int kSide = 16;             // threads along a side of the tile
constexpr int kEach = kTile / kSide;  // rows, and references, of a thread: every kSide-th
static_assert(kSide * kSide == kThreads && kSide * 2 == kWarp);

constexpr int64_t kMostRows = 1 << 14;  // of a launch: with as many references some 20 ms
constexpr int64_t kConvertedValues = int64_t{1} << 25;  // of a launch's rows, where converted
constexpr int kBlocksEach = 4;                          // of a multiprocessor

constexpr const char* kPurpose = "the sums of distances";
constexpr const char* kRemedy = "use a part of the pool";

/// Rows that meet references. Both start at whole tiles where the references are the rows.
template <class T>
struct Meeting {
    RowChunk<T> rows, references;
    int64_t first_row, row_count, first_reference, reference_count;
    int64_t length;
    double scale;
    SumAnchors anchors;
    bool both_ways;  // the references are all the rows: each pair meets once, for both
    double* sums;    // [kSumLevels, n]
    int64_t n;
};

/// to [kDepth][kTile] <- elements [begin, begin + kDepth) of a tile's rows, scaled; 0 beyond.
template <class T>
__device__ void load_tile(const RowChunk<T>& from, int64_t first, int64_t count, int64_t begin,
                          int64_t length, double scale, double (*to)[kTile + 1]) {
    for (int entry = static_cast<int>(threadIdx.x); entry < kTile * kDepth; entry += kThreads) {
        const int i = entry / kDepth, k = entry % kDepth;
        const bool inside = first + i < count && begin + k < length;
        to[k][i] =
            inside
                ? static_cast<double>(from.data[(first + i) * from.stride + begin + k]) * scale
                : 0.0;
    }
}

/// Adds the elements in shared memory to the squares of a thread's pairs, in their order.
__device__ __forceinline__ void add_squares(const double (*x)[kTile + 1],
                                            const double (*y)[kTile + 1], int down, int across,
                                            double (&squares)[kEach][kEach]) {
    for (int k = 0; k < kDepth; ++k) {
        double a[kEach], b[kEach];
        FS_UNROLL
        for (int i = 0; i < kEach; ++i) {
            a[i] = x[k][down + i * kSide];
            b[i] = y[k][across + i * kSide];
        }
        FS_UNROLL
        for (int i = 0; i < kEach; ++i) {
            FS_UNROLL
            for (int j = 0; j < kEach; ++j) {
                const double difference = a[i] - b[j];
                squares[i][j] += difference * difference;
            }
        }
    }
}

/// Adds to a sum in levels. No sum of parts is rounded, so the order of the adding threads
/// leaves no trace.
__device__ __forceinline__ void add_parts(const double (&parts)[kSumLevels], double* sums,
                                          int64_t n, int64_t row) {
    FS_UNROLL
    for (int level = 0; level < kSumLevels; ++level)
        atomicAdd(sums + level * n + row, parts[level]);
}

/// A block a tile of rows, along x; blocks along y share the tiles of references. All threads
/// of a block take the same turns. Flops: 3 a difference; of half the pairs where both ways.
/// Bytes: of each pair of tiles 2 kTile rows, from the L2 cache but for the first.
template <class T>
__global__ void __launch_bounds__(kThreads) meet(Meeting<T> m) {
    __shared__ double x[kDepth][kTile + 1], y[kDepth][kTile + 1];
    const int across = static_cast<int>(threadIdx.x) % kSide,
              down = static_cast<int>(threadIdx.x) / kSide;
    const int64_t row = int64_t{blockIdx.x} * kTile;
    double row_parts[kEach][kSumLevels] = {};
    for (int64_t reference = int64_t{blockIdx.y} * kTile; reference < m.reference_count;
         reference += int64_t{gridDim.y} * kTile) {
        const int64_t ahead = m.first_reference + reference - (m.first_row + row);
        if (m.both_ways && ahead < 0) continue;
        double squares[kEach][kEach] = {};
        for (int64_t begin = 0; begin < m.length; begin += kDepth) {
            __syncthreads();
            load_tile(m.rows, row, m.row_count, begin, m.length, m.scale, x);
            load_tile(m.references, reference, m.reference_count, begin, m.length, m.scale, y);
            __syncthreads();
            add_squares(x, y, down, across, squares);
        }
        FS_UNROLL
        for (int j = 0; j < kEach; ++j) {
            double parts[kSumLevels] = {};  // of a reference with this thread's rows
            const int64_t at = reference + across + j * kSide;
            FS_UNROLL
            for (int i = 0; i < kEach; ++i) {
                const bool inside =
                    row + down + i * kSide < m.row_count && at < m.reference_count;
                double rest = inside ? sqrt(squares[i][j]) : 0.0;
                FS_UNROLL
                for (int level = 0; level < kSumLevels; ++level) {
                    const double part = take_part(rest, m.anchors.of[level]);
                    row_parts[i][level] += part;
                    parts[level] += part;
                }
            }
            if (!m.both_ways || ahead == 0) continue;  // a tile with itself has both ways
            FS_UNROLL
            for (int level = 0; level < kSumLevels; ++level)  // the warp's two rows of threads
                parts[level] += __shfl_xor_sync(kAllLanes, parts[level], kSide);
            if (threadIdx.x % kWarp < kSide && at < m.reference_count)
                add_parts(parts, m.sums, m.n, m.first_reference + at);
        }
    }
    FS_UNROLL
    for (int i = 0; i < kEach; ++i) {
        FS_UNROLL
        for (int level = 0; level < kSumLevels; ++level) {
            for (int lanes = kSide / 2; lanes > 0; lanes /= 2)
                row_parts[i][level] += __shfl_xor_sync(kAllLanes, row_parts[i][level], lanes);
        }
        const int64_t at = row + down + i * kSide;
        if (across == 0 && at < m.row_count)
            add_parts(row_parts[i], m.sums, m.n, m.first_row + at);
    }
}

/// Rows of a launch, in whole tiles; fewer where wide rows may have to be converted.
int64_t rows_of_launch(const DistanceSumsProblem& problem) {
    int64_t most = std::min(kMostRows, kConvertedValues / problem.features.length);
    if (problem.chunk_rows > 0) most = std::min(most, problem.chunk_rows);
    return std::max<int64_t>(most / kTile, 1) * kTile;
}

template <class T>
std::vector<double> sum_distances(const Device& device, const Context& context,
                                  const DistanceSumsProblem& problem) {
    const bool to_itself = problem.references.data == nullptr;
    const int64_t n = problem.features.rows, k = problem.rows.count;
    const int64_t most = rows_of_launch(problem);
    const DeviceRows chosen(device, problem.rows);
    PoolRows<T> rows(device, problem.features, {nullptr, n}, std::min(n, most));
    PoolRows<T> references(device, to_itself ? problem.features : problem.references,
                           chosen.view(), std::min(k, most));
    DeviceBuffer<double> sums(device, {kSumLevels, n}, kPurpose, kRemedy);
    sums.zero();
    Meeting<T> m{};
    m.length = problem.features.length;
    m.scale = problem.scale;
    m.anchors = sum_anchors(problem.bits);
    m.both_ways = to_itself && problem.rows.all();
    m.sums = sums.data();
    m.n = n;
    const int64_t row_chunks = ceil_div(n, most), parts = row_chunks * ceil_div(k, most);
    run_ahead(
        device, context, parts,
        [&](int64_t part) {
            m.first_row = part % row_chunks * most;
            m.row_count = std::min(most, n - m.first_row);
            m.first_reference = part / row_chunks * most;
            m.reference_count = std::min(most, k - m.first_reference);
            if (m.both_ways && m.first_reference < m.first_row) return;  // have met it
            m.rows = rows.load(m.first_row, m.row_count, 0);
            if (m.first_row == 0)
                m.references = references.load(m.first_reference, m.reference_count, 0);
            Grid grid{ceil_div(m.row_count, kTile)};
            grid.blocks_y =
                std::clamp(ceil_div(kBlocksEach * device.multiprocessors(), grid.blocks),
                           int64_t{1}, ceil_div(m.reference_count, kTile));
            launch(device, "sum distances", grid, &meet<T>, m);
        },
        [&](int64_t part) { context.progress("distances", part + 1, parts); });
    return sums.download();
}

}  // namespace

std::vector<double> distance_sums(const Device& device, const Context& context,
                                  const DistanceSumsProblem& problem) {
    const bool single =
        problem.features.dtype == DType::float32 &&
        (problem.references.data == nullptr || problem.references.dtype == DType::float32);
    return single ? sum_distances<float>(device, context, problem)
                  : sum_distances<double>(device, context, problem);
}

}  // namespace fisher_select::cuda
