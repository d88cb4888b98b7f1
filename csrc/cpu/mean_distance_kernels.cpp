// SPDX-License-Identifier: Apache-2.0
// Inner loop of mean distances for one instruction set; cmake/kernels.cmake compiles this file
// several times (see pool_kernels.cpp for the rules that follow from it).
#include "mean_distance_kernels.h"

namespace fisher_select::cpu {
namespace {

// One register's worth of a block's lanes: the sums of squares of two such vectors with
// kAbreast references must stay in registers, which those of whole blocks (Lanes) do not.
#if defined(__AVX512F__)
constexpr int kVectorBytes = 64, kAbreast = 8;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32, kAbreast = 4;
#else
constexpr int kVectorBytes = 16, kAbreast = 4;
#endif
constexpr int kVectors = 2, kWidth = kVectorBytes / 8;
constexpr int kStep = kVectors * kWidth;  // lanes at once
static_assert(kLanes % kStep == 0 && kReferenceGroup % kAbreast == 0);

typedef double Vector __attribute__((vector_size(kVectorBytes)));

inline Vector load(const double* p) { return *reinterpret_cast<const Vector*>(p); }
inline void add(double* p, Vector v) { *reinterpret_cast<Vector*>(p) += v; }

/// Without errno the loop becomes one vector instruction.
inline Vector root(Vector x) {
    for (int l = 0; l < kWidth; ++l) x[l] = __builtin_sqrt(x[l]);
    return x;
}

/// Squared distances of kStep lanes to kAbreast references: from differences, not products, as
/// |x|^2 + |y|^2 - 2 <x, y> would lose the digits of near rows.
inline void sum_squares(const double* x, const double* y, int64_t length,
                        Vector (&squares)[kAbreast][kVectors]) {
    for (int64_t k = 0; k < length; ++k) {
        const Vector low = load(x + k * kLanes), high = load(x + k * kLanes + kWidth);
        for (int r = 0; r < kAbreast; ++r) {
            const Vector to_low = low - y[r * length + k], to_high = high - y[r * length + k];
            squares[r][0] += to_low * to_low;
            squares[r][1] += to_high * to_high;
        }
    }
}

/// The sums of kStep lanes from `lane` on.
template <bool kBothWays>
void add_lanes(const DistanceTile& tile, int lane) {
    for (int64_t first = 0; first < tile.count; first += kAbreast) {
        Vector squares[kAbreast][kVectors] = {};
        sum_squares(tile.rows + lane, tile.references + first * tile.length, tile.length,
                    squares);
        for (int r = 0; r < kAbreast && first + r < tile.count; ++r)
            for (int v = 0; v < kVectors; ++v) {
                const int at = lane + v * kWidth;
                Vector rest = root(squares[r][v]) * load(tile.inside + at);
                for (int level = 0; level < kSumLevels; ++level) {
                    const Vector part = take_part(rest, tile.anchors.of[level]);
                    add(tile.row_sums + level * kLanes + at, part);
                    if (kBothWays)
                        add(tile.reference_sums + ((first + r) * kSumLevels + level) * kLanes +
                                at,
                            part);
                }
            }
    }
}

void add_distances(const DistanceTile& tile) {
    for (int lane = 0; lane < kLanes; lane += kStep)
        tile.reference_sums ? add_lanes<true>(tile, lane) : add_lanes<false>(tile, lane);
}

}  // namespace

namespace FS_INSTRUCTION_SET {
extern const MeanDistanceKernels mean_distance_kernels;
const MeanDistanceKernels mean_distance_kernels = {add_distances};
}  // namespace FS_INSTRUCTION_SET

}  // namespace fisher_select::cpu
