// SPDX-License-Identifier: Apache-2.0
// Distances to many labelled rows by matrix products; see labeled_distance.h.
#include "labeled_distance.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "parallel.h"

namespace fisher_select::cpu {
namespace {

constexpr int64_t kChunkRows = 256;         // a GEMM's rows; larger gains nothing
constexpr int64_t kChunkCenters = 256;      // centres a row meets before it may stop
constexpr int64_t kPanelValues = 1 << 23;   // of packed centres: 32 MB
constexpr int64_t kPanelCenters = 1 << 16;  // of short rows: Ctrl-C waits for a task
constexpr const char* kPurpose = "the distances to the labelled rows";
constexpr const char* kLower = "lower chunk_rows or threads";

}  // namespace

/// The rows of one thread that still look for their nearest centre, packed.
struct LabeledScreen::Worker {
    Worker(int64_t most, int64_t length, int64_t classes)
        : d(length),
          c(classes),
          scratch({std::max(d, c)}, kPurpose, kLower),
          x({most, d}, kPurpose, kLower),
          r({most, c}, kPurpose, kLower),
          products({most, kChunkCenters}, kPurpose, kLower),
          class_products({c > 0 ? most : 0, kChunkCenters}, kPurpose, kLower) {
        products.zero();  // lanes beyond a chunk's centres are added to something infinite
    }

    int64_t count() const { return static_cast<int64_t>(rows.size()); }

    void clear() {
        rows.clear();
        norms.clear();
    }

    /// Keeps the i-th row as the `at`-th.
    void keep(int64_t i, int64_t at) {
        if (i == at) return;
        rows[static_cast<size_t>(at)] = rows[static_cast<size_t>(i)];
        norms[static_cast<size_t>(at)] = norms[static_cast<size_t>(i)];
        std::copy_n(x.data() + i * d, d, x.data() + at * d);
        std::copy_n(r.data() + i * c, c, r.data() + at * c);
    }

    void resize(int64_t count) {
        rows.resize(static_cast<size_t>(count));
        norms.resize(static_cast<size_t>(count));
    }

    const int64_t d, c;
    Buffer<double> scratch;                  // [max(d, C)]
    Buffer<float> x, r;                      // [rows, d], [rows, C]
    Buffer<float> products, class_products;  // [rows, kChunkCenters]
    std::vector<int64_t> rows;
    std::vector<double> norms;  // squared, shrunk
    PairCount pairs;
};

LabeledScreen::LabeledScreen(const Context& context, const Embedding& points,
                             NearestCenter& nearest, int64_t chunk_rows)
    : context_(context),
      points_(points),
      nearest_(nearest),
      chunk_rows_(chunk_rows > 0 ? chunk_rows : kChunkRows),
      scale_(points.largest_norm() > 0.0
                 ? std::exp2(-std::ceil(std::log2(points.largest_norm())))
                 : 1.0),
      shrink_(1.0 - 0x1p-23 * static_cast<double>(points.length() + points.classes() + 16)),
      panel_centers_(std::clamp(
          kPanelValues / (points.length() + points.classes()) / kChunkCenters * kChunkCenters,
          kChunkCenters, kPanelCenters)),
      workers_(static_cast<size_t>(context.threads)) {
    panel_centers_ = std::min(panel_centers_, lane_blocks(nearest.centers()) * kLanes);
    constexpr const char* kRemedy = "select from a part of the pool";
    x_ = Buffer<float>({panel_centers_, points.length()}, kPurpose, kRemedy);
    r_ = Buffer<float>({panel_centers_, points.classes()}, kPurpose, kRemedy);
    norms_ = Buffer<float>({panel_centers_}, kPurpose, kRemedy);
}

LabeledScreen::~LabeledScreen() = default;

PairCount LabeledScreen::meet(const std::vector<int64_t>& rows, double enough) {
    const int64_t total = static_cast<int64_t>(rows.size());
    for (int64_t begin = 0; begin < nearest_.centers(); begin += panel_centers_) {
        pack_centers(begin, std::min(panel_centers_, nearest_.centers() - begin));
        parallel_for(
            context_, (total + chunk_rows_ - 1) / chunk_rows_, [&](int64_t task, int thread) {
                auto& worker = workers_[static_cast<size_t>(thread)];
                if (!worker)
                    worker = std::make_unique<Worker>(std::min(chunk_rows_, points_.rows()),
                                                      points_.length(), points_.classes());
                const int64_t first = task * chunk_rows_;
                meet_panel(*worker, rows.data() + first, std::min(chunk_rows_, total - first),
                           enough);
            });
    }
    PairCount sum;
    for (const auto& worker : workers_) {
        if (!worker) continue;
        sum.add(worker->pairs);
        worker->pairs = {};
    }
    return sum;
}

void LabeledScreen::pack_centers(int64_t begin, int64_t count) {
    if (panel_begin_ == begin && panel_count_ == count) return;
    panel_begin_ = begin;
    panel_count_ = count;
    // A lane without a centre is infinitely far away.
    std::fill_n(norms_.data(), norms_.size(), std::numeric_limits<float>::infinity());
    const int64_t d = points_.length(), classes = points_.classes();
    parallel_for(context_, lane_blocks(count), [&](int64_t block, int) {
        Buffer<double> scratch({std::max(d, classes)}, kPurpose, kLower);
        for (int64_t i = block * kLanes; i < std::min(count, (block + 1) * kLanes); ++i)
            norms_[i] = static_cast<float>(
                shrink_ * points_.pack(nearest_.center(begin + i), scale_, scratch.data(),
                                       x_.data() + i * d, r_.data() + i * classes));
    });
}

/// Those of the rows that have met the centres before the panel and no more.
void LabeledScreen::meet_panel(Worker& worker, const int64_t* rows, int64_t count,
                               double enough) const {
    worker.clear();
    for (int64_t i = 0; i < count; ++i) {
        if (nearest_.met(rows[i]) != panel_begin_ || nearest_.square(rows[i]) < enough)
            continue;
        float* x = worker.x.data() + worker.count() * worker.d;
        float* r = worker.r.data() + worker.count() * worker.c;
        const double norm =
            points_.pack(points_.exact().point(rows[i]), scale_, worker.scratch.data(), x, r);
        worker.rows.push_back(rows[i]);
        worker.norms.push_back(shrink_ * norm);
    }
    for (int64_t begin = 0; begin < panel_count_ && worker.count() > 0;
         begin += kChunkCenters) {
        const int64_t centers = std::min(kChunkCenters, panel_count_ - begin);
        multiply(worker, begin, centers);
        int64_t kept = 0;
        for (int64_t i = 0; i < worker.count(); ++i) {
            const double square = nearest_in_chunk(worker, i, begin, centers);
            nearest_.meet(worker.rows[static_cast<size_t>(i)], panel_begin_ + begin + centers,
                          square);
            if (square >= enough) worker.keep(i, kept++);
        }
        worker.resize(kept);
    }
}

/// worker.products [rows, kChunkCenters] <- -2 <g, h> with the panel's centres from `begin`.
void LabeledScreen::multiply(Worker& worker, int64_t begin, int64_t count) const {
    const int m = static_cast<int>(count), n = static_cast<int>(worker.count());
    const int d = static_cast<int>(worker.d), c = static_cast<int>(worker.c);
    constexpr int kWidth = static_cast<int>(kChunkCenters);
    worker.pairs.screened += count * worker.count();
    context_.blas.gemm('T', 'N', m, n, d, -2.0f, x_.data() + begin * d, d, worker.x.data(), d,
                       0.0f, worker.products.data(), kWidth);
    if (!points_.gradient()) return;
    context_.blas.gemm('T', 'N', m, n, c, 1.0f, r_.data() + begin * c, c, worker.r.data(), c,
                       0.0f, worker.class_products.data(), kWidth);
    for (int64_t i = 0; i < worker.count(); ++i) {
        float* products = worker.products.data() + i * kChunkCenters;
        const float* factors = worker.class_products.data() + i * kChunkCenters;
        for (int64_t j = 0; j < count; ++j) products[j] *= factors[j];
    }
}

/// Squared distance of the worker's i-th row to the nearest centre up to the chunk's last.
double LabeledScreen::nearest_in_chunk(Worker& worker, int64_t i, int64_t begin,
                                       int64_t count) const {
    const DistanceKernels& kernels = points_.kernels();
    const int64_t row = worker.rows[static_cast<size_t>(i)], blocks = lane_blocks(count);
    const float *norms = norms_.data() + begin,
                *products = worker.products.data() + i * kChunkCenters;
    double square = nearest_.square(row);
    const auto compute = [&](int64_t place) {
        square = std::min(square, points_.squared_distance(
                                      row, nearest_.center(panel_begin_ + begin + place)));
        ++worker.pairs.full;
    };
    // What norms + products must be below for a centre to be nearer.
    const auto limit = [&] {
        return static_cast<float>(scale_ * square * scale_ -
                                  worker.norms[static_cast<size_t>(i)] + kBoundUnderflow);
    };
    const float smallest = kernels.smallest_sum(norms, products, blocks);
    if (smallest >= limit()) return square;
    // The likeliest centre first: it rules most of the others out.
    uint32_t mask = 0;
    const float above = std::nextafter(smallest, std::numeric_limits<float>::infinity());
    const int64_t best = kernels.scan_sums(norms, products, 0, blocks, above, &mask);
    const int64_t likeliest = best * kLanes + std::countr_zero(mask);
    compute(likeliest);
    for (int64_t block = 0; block < blocks; ++block) {
        block = kernels.scan_sums(norms, products, block, blocks, limit(), &mask);
        if (block == blocks) break;
        for (; mask != 0; mask &= mask - 1) {
            const int64_t place = block * kLanes + std::countr_zero(mask);
            if (place != likeliest && norms[place] + products[place] < limit()) compute(place);
        }
    }
    return square;
}

namespace {

constexpr int64_t kWorthSampling = 256;  // centres; fewer are soon met one by one
constexpr int64_t kShareSample = 32;     // rows that meet all centres by their summaries
constexpr int64_t kRadiusSample = 1024;  // rows that meet all centres by products
// Of the pairs, that products save from being computed in full. A product costs a pair some
// 1/25 of a full distance (d = 512), but rows meet whole chunks of centres before they stop.
constexpr double kWorthwhileShare = 1.0 / 8;

std::vector<int64_t> spread_evenly(const std::vector<int64_t>& rows, int64_t count) {
    const int64_t total = static_cast<int64_t>(rows.size());
    std::vector<int64_t> sample(static_cast<size_t>(std::min(count, total)));
    for (size_t i = 0; i < sample.size(); ++i)
        sample[i] = rows[i * rows.size() / sample.size()];
    return sample;
}

/// Lets the rows meet all centres by their summaries; returns the full distances it took.
int64_t meet_by_summaries(const Context& context, NearestCenter& nearest,
                          const std::vector<int64_t>& rows) {
    std::vector<int64_t> full(rows.size());
    parallel_for(context, static_cast<int64_t>(rows.size()), [&](int64_t i, int) {
        full[static_cast<size_t>(i)] = nearest.refresh(
            rows[static_cast<size_t>(i)], [](int64_t, double, double) { return false; });
    });
    return std::accumulate(full.begin(), full.end(), int64_t{0});
}

/// A squared distance that about 2 batch_size of `total` rows exceed, out of a sample's. The
/// radius after batch_size picks would be what batch_size rows exceed if picks were no centres;
/// they are, but rows that stop too late cost far less than rows that stop too early.
double last_radius(const NearestCenter& nearest, const std::vector<int64_t>& sample,
                   int64_t batch_size, int64_t total) {
    std::vector<double> squares(sample.size());
    std::transform(sample.begin(), sample.end(), squares.begin(),
                   [&](int64_t row) { return nearest.square(row); });
    const double share = 2.0 * static_cast<double>(batch_size) / static_cast<double>(total);
    const double rank = std::ceil(share * static_cast<double>(sample.size())) + 1.0;
    if (rank >= static_cast<double>(sample.size())) return 0.0;
    const auto at = squares.begin() + static_cast<int64_t>(rank);
    std::nth_element(squares.begin(), at, squares.end(), std::greater<>());
    return *at;
}

}  // namespace

LabeledStage meet_labeled(const Context& context, const Embedding& points,
                          NearestCenter& nearest, const std::vector<int64_t>& free,
                          int64_t batch_size, int64_t chunk_rows) {
    LabeledStage stage;
    if (free.empty() || nearest.centers() < kWorthSampling) return stage;
    const double worthwhile = kWorthwhileShare * static_cast<double>(nearest.centers());
    const auto a_row = [](int64_t full, const std::vector<int64_t>& rows) {
        return static_cast<double>(full) / static_cast<double>(rows.size());
    };
    const std::vector<int64_t> few = spread_evenly(free, kShareSample);
    stage.pairs.full = meet_by_summaries(context, nearest, few);
    const double by_summaries = a_row(stage.pairs.full, few);
    if (by_summaries < worthwhile) return stage;

    LabeledScreen screen(context, points, nearest, chunk_rows);
    const std::vector<int64_t> sample = spread_evenly(free, kRadiusSample);
    const PairCount sampled = screen.meet(sample, 0.0);
    stage.pairs.add(sampled);
    if (by_summaries - a_row(sampled.full, sample) < worthwhile) return stage;
    stage.pairs.add(screen.meet(
        free, last_radius(nearest, sample, batch_size, static_cast<int64_t>(free.size()))));
    stage.by_products = true;
    return stage;
}

}  // namespace fisher_select::cpu
