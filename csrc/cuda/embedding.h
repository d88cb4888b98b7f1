// SPDX-License-Identifier: Apache-2.0
// Short float32 summaries of all points, which bound distances from below (../distance.h).
#pragma once

#include <cstdint>

#include "directions.h"
#include "exact_distance.h"

namespace fisher_select::cuda {

constexpr int kMostFields = kMostCoordinates + 1;  // the norm of the rest first

/// The summary of a centre, in shared memory.
struct CenterSummary {
    float field[kMostFields];
    float slack;
    int64_t row;
};

/// Summaries as kernels see them, in parts of 16 bytes: most rows are ruled out by the first
/// one, so a warp that looks at 32 rows reads 512 bytes in a row, and little more.
struct SummaryView {
    float4* parts;  // [parts, n] rest and coordinates, the leading ones first
    float* slack;   // [n] what rounding may have added; scaled like the fields
    int part_count;
    int64_t rows;
    double scale;

    __device__ __forceinline__ float4 part(int p, int64_t row) const {
        return parts[p * rows + row];
    }
    __device__ __forceinline__ float& field(int f, int64_t row) const {
        return reinterpret_cast<float*>(parts)[(f / 4 * rows + row) * 4 + f % 4];
    }

    /// How near a centre's summary may be, its slack aside, if the centre is to be nearer to
    /// the row than this distance, squared.
    __device__ __forceinline__ float limit(int64_t row, double squared) const {
        return static_cast<float>(scale * sqrt(squared)) + slack[row];
    }

    /// Whether the centre may be nearer to the row than its limit; `first` is the row's part 0.
    __device__ __forceinline__ bool may_be_nearer(int64_t row, float4 first, float limit,
                                                  const CenterSummary& center) const {
        const float reach = squared_reach(limit + center.slack);
        float square = 0.0f;
        for (int p = 0; p < part_count; ++p) {
            const float4 own = p == 0 ? first : part(p, row);
            const float* other = center.field + 4 * p;
            const float x = own.x - other[0], y = own.y - other[1], z = own.z - other[2],
                        w = own.w - other[3];
            square += x * x + y * y + (z * z + w * w);
            if (square >= reach) return false;  // sums of squares only grow
        }
        return true;
    }
};

class Embedding {
public:
    /// Summarises all rows: one reading of the arrays, 32 n (d + C) float64 flops.
    /// Memory: 84 bytes a row, gradients up to 276.
    /// NumericalError where squared distances overflow.
    Embedding(const Device& device, const Context& context, const PointsView& points);

    const SummaryView& view() const { return view_; }
    /// [n] |g|^2 of each point, as it is; of features less their mean.
    const double* squared_norms() const { return squared_norms_.data(); }

private:
    DeviceBuffer<float4> parts_;
    DeviceBuffer<float> slack_;
    DeviceBuffer<double> squared_norms_;
    SummaryView view_;
};

}  // namespace fisher_select::cuda
