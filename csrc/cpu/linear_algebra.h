// SPDX-License-Identifier: Apache-2.0
// Dense symmetric float64 algebra by tiles: BLAS does the arithmetic, parallel_for hands the
// tiles out, so that it is parallel, deterministic, and obeys Ctrl-C between tiles.
#pragma once

#include <cstdint>
#include <utility>

#include "buffer.h"
#include "context.h"

namespace fisher_select::cpu {

constexpr int64_t kTile = 256;

constexpr int64_t tile_count(int64_t n) { return (n + kTile - 1) / kTile; }
constexpr int64_t tile_size(int64_t n, int64_t tile) {
    return n - tile * kTile < kTile ? n - tile * kTile : kTile;
}

/// Row and column of the entry-th element of a packed lower triangle.
inline std::pair<int, int> triangle_entry(int64_t entry) {
    int row = 0;
    int64_t first = 0;
    while (first + row + 1 <= entry) first += ++row;
    return {row, static_cast<int>(entry - first)};
}

/// Column-major [n, n]; both triangles are kept.
struct SquareMatrix {
    SquareMatrix() = default;
    /// `purpose` and `remedy` are the words of the error when memory runs out.
    SquareMatrix(int64_t n_, const char* purpose, const char* remedy);
    double* at(int64_t i, int64_t j) { return values.data() + j * n + i; }
    const double* at(int64_t i, int64_t j) const { return values.data() + j * n + i; }

    int64_t n = 0;
    Buffer<double> values;
};

/// Calls body(I, J) for every tile with I >= J, in parallel.
template <class Body>
void for_lower_tiles(const Context& context, int64_t n, const Body& body);

/// Copies the lower tile (I, J) to the upper triangle.
void mirror_tile(SquareMatrix& a, int64_t I, int64_t J);

/// a <- its lower Cholesky factor (above the diagonal tiles nothing is written); false where it
/// is not positive definite. n^3 / 6 multiplications.
bool cholesky(const Context& context, SquareMatrix& a);

/// r <- R, the inverse of M's Cholesky factor (lower), so that M^-1 = R^T R; false where M is
/// not positive definite. M is overwritten. About n^3 / 3 multiplications.
bool invert_factor(const Context& context, SquareMatrix& m, SquareMatrix& r, double& log_det);

/// q <- M^-1 = R^T R. n^3 / 6 multiplications or so.
void inverse(const Context& context, const SquareMatrix& r, SquareMatrix& q);

/// p <- M^-1 F M^-1 = R^T (R F R^T) R (F = I where nullptr). For an M of condition k this loses
/// k^(1/2) of the digits where Q F Q would lose k. `work` is overwritten. About 1.5 n^3
/// multiplications.
void sandwich(const Context& context, const SquareMatrix& r, const SquareMatrix* f,
              SquareMatrix& p, SquareMatrix& work);

/// Sum of the elementwise product: tr(A B) of symmetric matrices.
double trace_of_product(const SquareMatrix& a, const SquareMatrix& b);

}  // namespace fisher_select::cpu

#include "parallel.h"

namespace fisher_select::cpu {

template <class Body>
void for_lower_tiles(const Context& context, int64_t n, const Body& body) {
    const int64_t tiles = tile_count(n);
    parallel_for(context, tiles * tiles, [&](int64_t task, int) {
        const int64_t I = task / tiles, J = task % tiles;
        if (J <= I) body(I, J);
    });
}

}  // namespace fisher_select::cpu
