// SPDX-License-Identifier: Apache-2.0
// The first stage of k-centre where many rows are labelled and the summaries rule few of them
// out: float32 matrix products bound the distances of many rows to many centres at a small
// part of a full distance's cost, and the few centres that may be the nearest are met in full.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "buffer.h"
#include "context.h"
#include "nearest_center.h"

namespace fisher_select::cpu {

/// Pairs of a row and a centre.
struct PairCount {
    int64_t full = 0;      // whose distance was computed in full
    int64_t screened = 0;  // whose distance a product of matrices bounded

    void add(const PairCount& other) {
        full += other.full;
        screened += other.screened;
    }
};

/// Lets rows meet all centres there are by products. `points` and `nearest` must outlive it.
///
/// Why the bounds are safe. With x, c the scaled points in float64 and u = 2^-24, the product
/// <x, c> of their float32 roundings errs by (length + classes + 4) u |x| |c| at the most,
/// where no product underflows, whatever the order of its sums; and 2 |x| |c| <= |x|^2 + |c|^2.
/// So |x|^2 + |c|^2 - 2 <x, c> with either square made smaller by the share
/// 2 (length + classes + 16) u is below the squared distance, with room for the roundings of
/// the sum itself. The scale makes |x| <= 1: what underflows is below kBoundUnderflow.
class LabeledScreen {
public:
    /// chunk_rows: rows a thread takes at a time; 0: as many as suit the cache.
    LabeledScreen(const Context& context, const Embedding& points, NearestCenter& nearest,
                  int64_t chunk_rows);
    ~LabeledScreen();

    /// Each of `rows` that has met no centre meets them in chunks, until it has met all or is
    /// nearer to one than `enough`, squared. Where it stops depends on the row alone.
    PairCount meet(const std::vector<int64_t>& rows, double enough);

private:
    struct Worker;

    void pack_centers(int64_t begin, int64_t count);
    void meet_panel(Worker& worker, const int64_t* rows, int64_t count, double enough) const;
    void multiply(Worker& worker, int64_t begin, int64_t count) const;
    double nearest_in_chunk(Worker& worker, int64_t i, int64_t begin, int64_t count) const;

    const Context& context_;
    const Embedding& points_;
    NearestCenter& nearest_;
    int64_t chunk_rows_;
    double scale_;   // a power of two that brings every |x| to 1 at the most
    double shrink_;  // of the squared norms
    int64_t panel_centers_;
    int64_t panel_begin_ = 0, panel_count_ = 0;  // the centres that are packed
    Buffer<float> x_, r_;                        // [panel centers, d], [panel centers, C]
    Buffer<float> norms_;                        // [panel centers, padded] shrunk
    std::vector<std::unique_ptr<Worker>> workers_;
};

struct LabeledStage {
    PairCount pairs;
    bool by_products = false;  // else the rows are still to meet the centres
};

/// Lets the rows of `free` meet the centres by products where a sample says that it pays: the
/// summaries leave many distances to be computed in full there, and products do not. Rows stop
/// where batch_size picks will hardly look at them again; met centres or not, distances are
/// exact. Cost: 2 n m (d + C) flops at the most, and one reading of the rows for each 32 MB of
/// centres. Memory: these 32 MB and some 2 MB a thread.
LabeledStage meet_labeled(const Context& context, const Embedding& points,
                          NearestCenter& nearest, const std::vector<int64_t>& free,
                          int64_t batch_size, int64_t chunk_rows);

}  // namespace fisher_select::cpu
