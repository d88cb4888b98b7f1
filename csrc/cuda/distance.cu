// SPDX-License-Identifier: Apache-2.0
// k-centre greedy and BADGE (ops.h). A pick is two kernels: one block takes the best of the
// tiles, then all rows meet it.
#include "distance.h"

#include <algorithm>
#include <utility>

#include "device_rows.h"
#include "nearest_center.h"
#include "ops.h"
#include "pick_queue.h"
#include "stopwatch.h"

namespace fisher_select::cuda {
namespace {

constexpr const char* kPurpose = "the pool's distances";
constexpr const char* kRemedy = "select from a part of the pool";

/// Where picks are kept until the end.
struct PicksView {
    int64_t* rows;    // [batch]
    double* scores;   // [batch]
    int64_t* made;    // [1]
    int64_t* latest;  // [1] the last row picked, or kNoCenter when all picks are made
    int64_t batch;
};

// What k-centre and BADGE do differently. nearer: a row's squared distance has fallen.
// picked: the row with the largest key becomes a centre; one thread calls it.

/// k-centre: the key is the squared distance, in the same memory.
struct Farthest {
    __device__ void nearer(const NearestView&, int64_t, double, double) const {}
    __device__ void picked(double) const {}
};

/// BADGE: the key is when a row's clock rings, negated.
struct Race {
    Clock* clocks;  // [n]
    double* now;    // [1] when the latest centre was added

    __device__ void nearer(const NearestView& nearest, int64_t row, double before,
                           double square) const {
        Clock clock = clocks[row];
        change_rate(clock, before, *now);
        clocks[row] = clock;
        nearest.key[row] = ring_key(clock, square);
    }
    __device__ void picked(double key) const {
        if (key != kNeverRings) *now = -key;
    }
};

__global__ void start_rows(NearestView nearest, int64_t n) {
    const int64_t row = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (row >= n) return;
    nearest.square[row] = kInfinity;
    nearest.limit[row] = static_cast<float>(kInfinity);
}

/// After start_rows.
__global__ void start_clocks(NearestView nearest, Race race, const double* squared_norms,
                             uint64_t seed, int64_t n) {
    const int64_t row = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (row >= n) return;
    race.clocks[row] = start_clock(seed, row);
    nearest.key[row] = squared_norms[row];  // of the first pick
}

__device__ void exclude(const NearestView& nearest, int64_t row) {
    nearest.key[row] = kExcluded;
    nearest.limit[row] = kSettled;
}

__global__ void exclude_rows(NearestView nearest, const int64_t* rows, int64_t count) {
    const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i < count) exclude(nearest, rows[i]);
}

__global__ void rank_tiles(NearestView nearest, int64_t n) { rank_tile(nearest, n); }

/// Picks the row with the largest key; one block. Bytes: 16 a tile of 1024 rows.
template <class Rule>
__global__ void pick_largest(NearestView nearest, Rule rule, PicksView picks, int64_t tiles) {
    __shared__ double keys[kThreads / kWarp];
    __shared__ int64_t rows[kThreads / kWarp];
    const int64_t made = *picks.made;
    double key = kExcluded;
    int64_t row = INT64_MAX;
    for (int64_t tile = threadIdx.x; tile < tiles; tile += blockDim.x)
        if (row == INT64_MAX || nearest.tile_key[tile] > key) {
            key = nearest.tile_key[tile];
            row = nearest.tile_row[tile];
        }
    block_best(key, row, keys, rows);
    if (threadIdx.x != 0) return;
    if (made == picks.batch) {
        *picks.latest = kNoCenter;
        return;
    }
    picks.rows[made] = row;
    picks.scores[made] = sqrt(nearest.square[row]);
    *picks.made = made + 1;
    *picks.latest = row;
    rule.picked(key);
    exclude(nearest, row);
}

/// The points, their nearest centres, and the selection so far.
class Selection {
public:
    Selection(const Device& device, const Context& context, const DistanceProblem& problem)
        : device_(device),
          context_(context),
          problem_(problem),
          watch_(result_.seconds),
          exact_(device, problem.features, problem.probabilities),
          points_(device, context, exact_.view()),
          n_(exact_.view().rows()),
          tiles_(ceil_div(n_, kTileRows)),
          square_(device, {n_}, kPurpose, kRemedy),
          limit_(device, {n_}, kPurpose, kRemedy),
          tile_key_(device, {tiles_}, kPurpose, kRemedy),
          tile_row_(device, {tiles_}, kPurpose, kRemedy),
          computed_(device, {1}, kPurpose, kRemedy) {
        computed_.zero();
        launch(device_, "start the distances", one_thread_each(n_), &start_rows, nearest(), n_);
        watch_.lap("prepare");
    }

    NearestView nearest() const {
        return {square_.data(),   limit_.data(),    key_.empty() ? square_.data() : key_.data(),
                tile_key_.data(), tile_row_.data(), computed_.data()};
    }

    /// Gives the rows a key beside their distance: first their squared norm.
    Race start_race() {
        key_ = DeviceBuffer<double>(device_, {n_}, kPurpose, kRemedy);
        clocks_ = DeviceBuffer<Clock>(device_, {n_}, kPurpose, kRemedy);
        now_ = DeviceBuffer<double>(device_, {1}, kPurpose, kRemedy);
        now_.zero();
        const Race race{clocks_.data(), now_.data()};
        launch(device_, "start the clocks", one_thread_each(n_), &start_clocks, nearest(), race,
               points_.squared_norms(), problem_.seed, n_);
        return race;
    }

    /// Takes rows out of the running; nothing has been picked yet.
    void exclude_rows(const RowList& rows) {
        if (rows.count > 0)
            launch(device_, "exclude rows", one_thread_each(rows.count), &cuda::exclude_rows,
                   nearest(), rows.index, rows.count);
        launch(device_, "rank the tiles", Grid{tiles_}, &rank_tiles, nearest(), n_);
    }

    /// Makes rows centres that are not picks.
    void meet_all(const RowList& rows) {
        run_ahead(
            device_, context_, ceil_div(rows.count, kMostCenters),
            [&](int64_t part) {
                const int64_t begin = part * kMostCenters;
                const int64_t count = std::min<int64_t>(kMostCenters, rows.count - begin);
                meet(Farthest{}, rows.index + begin, static_cast<int>(count));
            },
            [](int64_t) {});
        result_.centers += rows.count;
        watch_.lap("centers");
    }

    /// Completes the batch.
    template <class Rule>
    void pick(const Rule& rule) {
        const int64_t before = static_cast<int64_t>(result_.indices.size());
        const int64_t batch = problem_.batch_size - before;
        const DeviceBuffer<int64_t> rows(device_, {batch}, kPurpose, kRemedy);
        const DeviceBuffer<double> scores(device_, {batch}, kPurpose, kRemedy);
        DeviceBuffer<int64_t> state(device_, {2}, kPurpose, kRemedy);
        state.zero();
        const PicksView picks{rows.data(), scores.data(), state.data(), state.data() + 1,
                              batch};
        run_picks(device_, context_, before, problem_.batch_size, [&] {
            launch(device_, "pick a row", Grid{1}, &pick_largest<Rule>, nearest(), rule, picks,
                   tiles_);
            meet(rule, picks.latest, 1);
        });
        for (int64_t row : rows.download()) result_.indices.push_back(row);
        for (double score : scores.download()) result_.scores.push_back(score);
        result_.centers += batch;
    }

    /// A pick that was not looked for.
    void pick_first(int64_t row) {
        result_.indices.push_back(row);
        result_.scores.push_back(kInfinity);
        context_.progress("pick", 1, problem_.batch_size);
    }

    DistanceResult finish() {
        result_.full_distances = static_cast<int64_t>(computed_.download()[0]);
        watch_.lap("pick");
        return std::move(result_);
    }

private:
    template <class Rule>
    void meet(const Rule& rule, const int64_t* centers, int count) const {
        const PointsView& points = exact_.view();
        const bool single = points.features.dtype == DType::float32;
        auto* const kernel = points.gradient() ? (single ? &meet_centers<float, true, Rule>
                                                         : &meet_centers<double, true, Rule>)
                                               : (single ? &meet_centers<float, false, Rule>
                                                         : &meet_centers<double, false, Rule>);
        launch(device_, "compare the rows with a centre", Grid{tiles_}, kernel, points,
               points_.view(), nearest(), rule, centers, count);
    }

    const Device& device_;
    const Context& context_;
    const DistanceProblem& problem_;
    DistanceResult result_;
    Stopwatch watch_;
    ExactDistance exact_;
    Embedding points_;
    int64_t n_, tiles_;
    DeviceBuffer<double> square_;  // [n]
    DeviceBuffer<float> limit_;    // [n]
    DeviceBuffer<double> key_;     // [n]; none: the squares are the keys
    DeviceBuffer<double> tile_key_;
    DeviceBuffer<int64_t> tile_row_;
    DeviceBuffer<unsigned long long> computed_;
    DeviceBuffer<Clock> clocks_;  // [n] of a race
    DeviceBuffer<double> now_;
};

}  // namespace

DistanceResult k_center(const Device& device, const Context& context,
                        const DistanceProblem& problem) {
    Selection selection(device, context, problem);
    const bool none = problem.labeled.count == 0;
    const DeviceRows centers(device, none ? RowList{&problem.first, 1} : problem.labeled);
    selection.exclude_rows(centers.view());
    selection.meet_all(centers.view());
    if (none) selection.pick_first(problem.first);
    selection.pick(Farthest{});
    return selection.finish();
}

DistanceResult badge(const Device& device, const Context& context,
                     const DistanceProblem& problem) {
    Selection selection(device, context, problem);
    const Race race = selection.start_race();
    selection.exclude_rows(DeviceRows(device, problem.labeled).view());
    selection.pick(race);
    return selection.finish();
}

}  // namespace fisher_select::cuda
