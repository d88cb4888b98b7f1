// SPDX-License-Identifier: Apache-2.0
// The inner loops of nearest-centre searches, compiled once per instruction set
// (distance_kernels.cpp) and chosen at run time.
#pragma once

#include <cstdint>

#include "distance.h"
#include "lanes.h"

namespace fisher_select::cpu {

// A row's summary, float32, by which most centres are ruled out without reading the row.
// Centres have the same, kLanes centres abreast: [block][field][kLanes].
//
// Features: one cache line. kSplit coordinates in an orthonormal basis, the norm of the rest,
// and what rounding may have added to either.
constexpr int kFeatureFields = 16, kFeatureCoordinates = 14, kFeatureRest = 14,
              kFeatureSlack = 15;
// Gradients x (x) r: coordinates and rest of x, the same of r, and |x|^2 |r|^2.
constexpr int kGradientFields = 32, kGradientCoordinates = 15, kGradientRest = 15,
              kClassCoordinates = 14, kClassFirst = 16, kClassRest = 30, kGradientNorm = 31;

struct DistanceKernels {
    /// The first block in [block, end) with a centre that may be nearer to the row than
    /// `limit`, or `end`; `mask` names its lanes. `limit`: the distance plus the row's slack
    /// for features, the squared distance for gradients.
    int64_t (*scan_features)(const float* row, const float* centers, int64_t block, int64_t end,
                             float limit, uint32_t* mask);
    int64_t (*scan_gradients)(const float* row, const float* centers, int64_t block,
                              int64_t end, float limit, uint32_t* mask);
    /// The centre of blocks [block, end), at least one, that the summaries put nearest.
    int64_t (*smallest_feature_bound)(const float* row, const float* centers, int64_t block,
                                      int64_t end);
    int64_t (*smallest_gradient_bound)(const float* row, const float* centers, int64_t block,
                                       int64_t end);
    /// Of a[l] + b[l] over `blocks` blocks of kLanes.
    float (*smallest_sum)(const float* a, const float* b, int64_t blocks);
    /// The first block in [block, end) with a sum below `limit`, or `end`, as above.
    int64_t (*scan_sums)(const float* a, const float* b, int64_t block, int64_t end,
                         float limit, uint32_t* mask);
    /// Both of the caller's vectors contiguous, summed in float64 in one fixed order.
    Difference (*difference_float)(const float* a, const float* b, int64_t length);
    Difference (*difference_double)(const double* a, const double* b, int64_t length);
    double (*square_float)(const float* a, const float* b, int64_t length);
    double (*square_double)(const double* a, const double* b, int64_t length);
    /// Of rows x less their mean [length]: coordinates [rows, kLanes] along the columns of
    /// basis [length, kLanes], and squared norms [rows]; summed as above.
    void (*project_float)(const float* x, int64_t stride, int64_t rows, int64_t length,
                          const double* mean, const double* basis, double* coordinates,
                          double* squares);
    void (*project_double)(const double* x, int64_t stride, int64_t rows, int64_t length,
                           const double* mean, const double* basis, double* coordinates,
                           double* squares);
};

}  // namespace fisher_select::cpu
