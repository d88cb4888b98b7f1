// SPDX-License-Identifier: Apache-2.0
// See validation.h. A row, or a piece of a long one, belongs to a warp; the lowest row wins by
// an atomic minimum, so the answer does not depend on who comes first.
#include "validation.h"

#include <cstdlib>
#include <limits>
#include <utility>

#include "launch.h"
#include "memory.h"
#include "reduce.h"

namespace fisher_select::cuda {
namespace {

constexpr const char* kPurpose = "a check of the arrays";
constexpr const char* kRemedy = "free memory of the device";
constexpr auto kNoRow = std::numeric_limits<unsigned long long>::max();
constexpr int64_t kPiece = 4096;  // entries of a warp: a few long rows still fill the device
constexpr unsigned kClip = 1, kRenormalize = 2;

/// A warp an item.
Grid one_warp_each(int64_t items) { return one_thread_each(items * kWarp); }

__device__ __forceinline__ int64_t warp_index() {
    return (int64_t{blockIdx.x} * blockDim.x + threadIdx.x) / kWarp;
}

/// A row's entries in whatever order lies best: `outer` times `inner` neighbours.
struct Entries {
    int64_t outer, inner, outer_stride, inner_stride;
};

Entries entries_of(const VectorsView& v) {
    Entries e{v.slots, v.length, v.slot_stride, v.element_stride};
    if (e.outer > 1 && std::abs(e.outer_stride) < std::abs(e.inner_stride)) {
        std::swap(e.outer, e.inner);
        std::swap(e.outer_stride, e.inner_stride);
    }
    if (e.outer > 1 && e.outer_stride == e.inner * e.inner_stride) {
        e.inner *= e.outer;
        e.outer = 1;
    }
    return e;
}

/// A warp a piece of a row. Bytes: the array once, where neighbours of `entries` are adjacent
/// or neighbouring rows are, which then share their sectors in the cache of a multiprocessor.
template <class T>
__global__ void find_not_finite(const T* data, int64_t rows, int64_t row_stride,
                                Entries entries, int64_t pieces, unsigned long long* first) {
    const int64_t task = warp_index();
    if (task >= rows * pieces) return;
    const unsigned lane = threadIdx.x % kWarp;
    const int64_t row = task / pieces, begin = task % pieces * kPiece;
    const int64_t end = begin + kPiece < entries.inner ? begin + kPiece : entries.inner;
    bool bad = false;
    for (int64_t o = 0; o < entries.outer; ++o) {
        const T* const at = data + row * row_stride + o * entries.outer_stride;
        for (int64_t k = begin + lane; k < end; k += kWarp) {
            const T x = at[k * entries.inner_stride];
            bad |= !(x - x == T{0});
        }
    }
    if (__any_sync(kAllLanes, bad) && lane == 0)
        atomicMin(first, static_cast<unsigned long long>(row));
}

struct Found {
    unsigned long long outside = kNoRow;    // first row with an entry outside [0, 1]
    unsigned long long wrong_sum = kNoRow;  // first row that does not sum to 1
    unsigned repairs = 0;
};

/// A warp a row. Bytes: the array once.
__global__ void inspect_rows(MatrixView p, ProbabilityLimits limits, Found* found) {
    const int64_t row = warp_index();
    if (row >= p.rows) return;
    const unsigned lane = threadIdx.x % kWarp;
    double below = -HUGE_VAL, above = -HUGE_VAL, sum = 0.0;  // below: the smallest, negated
    for (int64_t c = lane; c < p.cols; c += kWarp) {
        const double x = p.at(row, c);
        below = Larger{}(below, -x);
        above = Larger{}(above, x);
        sum += x;
    }
    below = warp_reduce(below, Larger{});
    above = warp_reduce(above, Larger{});
    const double off = fabs(warp_reduce(sum, Plus{}) - 1.0);
    if (lane != 0) return;
    if (below > limits.range || above > 1.0 + limits.range)
        atomicMin(&found->outside, static_cast<unsigned long long>(row));
    if (off > limits.sum) atomicMin(&found->wrong_sum, static_cast<unsigned long long>(row));
    const unsigned repairs = (below > 0.0 || above > 1.0 ? kClip : 0u) |
                             (off > limits.renormalize ? kRenormalize : 0u);
    if (repairs != 0) atomicOr(&found->repairs, repairs);
}

__device__ __forceinline__ double clipped(double p) {
    return p < 0.0 ? 0.0 : (p > 1.0 ? 1.0 : p);
}

/// A warp a row. Bytes: the array twice, the second time out of the cache, and the copy.
template <class T>
__global__ void repair_rows(MatrixView p, bool renormalize, T* to) {
    const int64_t row = warp_index();
    if (row >= p.rows) return;
    const unsigned lane = threadIdx.x % kWarp;
    double sum = 0.0;
    for (int64_t c = lane; c < p.cols; c += kWarp) sum += clipped(p.at(row, c));
    // Rounded before the division, as NumPy does on the host.
    const T divisor = renormalize ? static_cast<T>(warp_reduce(sum, Plus{})) : T{1};
    for (int64_t c = lane; c < p.cols; c += kWarp)
        to[row * p.cols + c] = static_cast<T>(clipped(p.at(row, c))) / divisor;
}

/// A thread an entry.
__global__ void copy_row(VectorsView v, int64_t row, double* to) {
    const int64_t at = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (at < v.length * v.slots) to[at] = v.at(row, at % v.slots, at / v.slots);
}

std::optional<int64_t> as_row(unsigned long long row) {
    return row == kNoRow ? std::nullopt : std::optional(static_cast<int64_t>(row));
}

template <class T>
DeviceBuffer<T> upload(const Device& device, const T& value) {
    DeviceBuffer<T> copy(device, {1}, kPurpose, kRemedy);
    copy.upload(&value, 1);
    return copy;
}

template <class T>
void find(const Device& device, const VectorsView& rows, unsigned long long* first) {
    const Entries entries = entries_of(rows);
    const int64_t pieces = ceil_div(entries.inner, kPiece);
    launch(device, "check that an array is finite", one_warp_each(rows.rows * pieces),
           &find_not_finite<T>, static_cast<const T*>(rows.data), rows.rows, rows.row_stride,
           entries, pieces, first);
}

}  // namespace

std::optional<int64_t> first_not_finite(const Device& device, const VectorsView& rows) {
    const DeviceBuffer<unsigned long long> first = upload(device, kNoRow);
    rows.dtype == DType::float32 ? find<float>(device, rows, first.data())
                                 : find<double>(device, rows, first.data());
    return as_row(first.download()[0]);
}

ProbabilityFindings check_probabilities(const Device& device, const MatrixView& probabilities,
                                        const ProbabilityLimits& limits) {
    const DeviceBuffer<Found> found = upload(device, Found{});
    launch(device, "check the probabilities", one_warp_each(probabilities.rows), &inspect_rows,
           probabilities, limits, found.data());
    const Found answer = found.download()[0];
    return {as_row(answer.outside != kNoRow ? answer.outside : answer.wrong_sum),
            (answer.repairs & kClip) != 0, (answer.repairs & kRenormalize) != 0};
}

void repair_probabilities(const Device& device, const MatrixView& probabilities,
                          bool renormalize, void* to) {
    const Grid grid = one_warp_each(probabilities.rows);
    constexpr const char* kAsked = "repair the probabilities";
    if (probabilities.dtype == DType::float32)
        launch(device, kAsked, grid, &repair_rows<float>, probabilities, renormalize,
               static_cast<float*>(to));
    else
        launch(device, kAsked, grid, &repair_rows<double>, probabilities, renormalize,
               static_cast<double*>(to));
    device.synchronize();
}

std::vector<double> read_row(const Device& device, const VectorsView& rows, int64_t row) {
    const DeviceBuffer<double> values(device, {rows.length, rows.slots}, kPurpose, kRemedy);
    launch(device, "read a row", one_thread_each(values.size()), &copy_row, rows, row,
           values.data());
    return values.download();
}

}  // namespace fisher_select::cuda
