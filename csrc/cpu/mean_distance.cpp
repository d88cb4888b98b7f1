// SPDX-License-Identifier: Apache-2.0
// Exact sums of distances to many references (ops.h): a panel of packed references at a time,
// which chunks of rows meet tile by tile while both are in cache.
#include <algorithm>
#include <atomic>
#include <memory>
#include <vector>

#include "buffer.h"
#include "dispatch.h"
#include "mapped_rows.h"
#include "ops.h"
#include "parallel.h"
#include "rows.h"
#include "scattered_rows.h"

namespace fisher_select::cpu {
namespace {

constexpr int64_t kTile = 32;               // references that a chunk's blocks meet in turn
constexpr int64_t kChunkValues = 1 << 15;   // of packed rows: 256 KB
constexpr int64_t kMostChunkRows = 512;     // by default
constexpr int64_t kPanelValues = 1 << 20;   // of packed references: 8 MB
constexpr int64_t kTaskWork = 1 << 28;      // differences: Ctrl-C waits for a task
constexpr double kDifferencesAtOnce = 4.0;  // in the time of a multiplication, for threads
constexpr int64_t kPairWork = 32;           // a pair's root and parts, in differences
constexpr int64_t kLevelLanes = kSumLevels * kLanes;

constexpr const char* kLower = "lower chunk_rows or threads";

class DistanceSums {
public:
    DistanceSums(const Context& context, const DistanceSumsProblem& problem)
        : context_(context),
          problem_(problem),
          kernels_(mean_distance_kernels(problem.instruction_set)),
          to_itself_(problem.references.data == nullptr),
          references_(to_itself_ ? problem.features : problem.references),
          references_read_(references_, context.threads),
          both_ways_(to_itself_ && problem.rows.all()),
          anchors_(sum_anchors(problem.bits)),
          n_(problem.features.rows),
          d_(problem.features.length),
          chunk_rows_(blocks_of(problem) * kLanes),
          panel_rows_(std::clamp(
              std::min(kPanelValues / d_, kTaskWork / (chunk_rows_ * (d_ + kPairWork))),
              kReferenceGroup, std::max(kReferenceGroup, problem.rows.count))),
          panel_({panel_rows_ + kReferenceGroup, d_}, "a panel of references",
                 "use rows of fewer columns"),
          workers_(static_cast<size_t>(context.threads)),
          sums_(static_cast<size_t>(kSumLevels * n_), 0.0) {
        panel_.zero();  // a tile's last group reads beyond the panel's last reference
    }

    std::vector<double> run() {
        const int64_t k = problem_.rows.count, chunks = ceil_div(n_, chunk_rows_);
        const int64_t panels = ceil_div(k, panel_rows_);
        for (int64_t panel = 0; panel < panels; ++panel) {
            const int64_t begin = panel * panel_rows_, end = std::min(k, begin + panel_rows_);
            pack_panel(begin, end);
            std::atomic<int64_t> finished{0};
            parallel_for(context_, chunks, [&](int64_t chunk, int thread) {
                meet_panel(chunk, begin, end, worker(thread));
                ++finished;
                if (thread == 0)
                    context_.progress("distances", panel * chunks + finished, panels * chunks);
            });
            if (both_ways_) add_reference_sums(begin, end);
        }
        context_.progress("distances", panels * chunks, panels * chunks);
        return std::move(sums_);
    }

private:
    /// One thread's buffers.
    struct Worker {
        explicit Worker(const DistanceSums& s)
            : packed({kLanes, s.d_}, "a block of rows", kLower),
              rows({s.chunk_rows_, s.d_}, "a chunk of rows", kLower),
              row_sums({s.chunk_rows_, kSumLevels}, "a chunk's sums", kLower),
              tile_sums({kTile, kLevelLanes}, "a tile's sums", kLower),
              reference_sums({s.both_ways_ ? s.panel_rows_ : 0, kSumLevels}, "a panel's sums",
                             kLower) {
            reference_sums.zero();
        }
        Buffer<double> packed;          // [kLanes, d]
        Buffer<double> rows;            // [blocks, d, kLanes], scaled
        Buffer<double> row_sums;        // [blocks, kSumLevels, kLanes]
        Buffer<double> tile_sums;       // [kTile, kSumLevels, kLanes]
        Buffer<double> reference_sums;  // [panel, kSumLevels] of the rows that met it so far
    };

    Worker& worker(int thread) {
        auto& own = workers_[static_cast<size_t>(thread)];
        if (!own) own = std::make_unique<Worker>(*this);
        return *own;
    }

    /// Blocks a task takes.
    static int64_t blocks_of(const DistanceSumsProblem& problem) {
        const int64_t most = lane_blocks(problem.features.rows);
        const int64_t wanted =
            problem.chunk_rows > 0
                ? problem.chunk_rows
                : std::min(kChunkValues / problem.features.length, kMostChunkRows);
        return std::clamp<int64_t>(wanted / kLanes, 1, most);
    }

    void pack_panel(int64_t begin, int64_t end) {
        parallel_for(context_, lane_blocks(end - begin), [&](int64_t block, int) {
            const int64_t first = begin + block * kLanes,
                          count = std::min<int64_t>(kLanes, end - first);
            double* const to = panel_.data() + (first - begin) * d_;
            for (int64_t i = first; i < first + count; ++i)
                references_read_.reads(problem_.rows[i]);
            copy_rows(references_, problem_.rows, first, count, 0, to);
            for (int64_t i = 0; i < count * d_; ++i) to[i] *= problem_.scale;
        });
    }

    /// own.rows, a lane a row; lanes beyond the last row are 0.
    void pack_rows(int64_t begin, int64_t end, Worker& own) {
        const RowList all{nullptr, n_};
        const SweptRows swept(problem_.features, begin, end - begin);
        for (int64_t row = begin; row < end; row += kLanes) {
            const int64_t count = std::min<int64_t>(kLanes, end - row);
            copy_rows(problem_.features, all, row, count, 0, own.packed.data());
            std::fill(own.packed.data() + count * d_, own.packed.data() + kLanes * d_, 0.0);
            transpose(own.packed.data(), own.rows.data() + (row - begin) * d_);
        }
    }

    /// to [d, kLanes] <- scale from [kLanes, d], by cache lines of `from`.
    void transpose(const double* from, double* to) const {
        constexpr int64_t kLine = 8;
        for (int64_t begin = 0; begin < d_; begin += kLine)
            for (int64_t l = 0; l < kLanes; ++l)
                for (int64_t k = begin; k < std::min(d_, begin + kLine); ++k)
                    to[k * kLanes + l] = from[l * d_ + k] * problem_.scale;
    }

    /// The chunk's rows meet the references [begin, end); where these are all the rows, each
    /// pair meets once: the chunk leaves out those before it, which have met it.
    void meet_panel(int64_t chunk, int64_t begin, int64_t end, Worker& own) {
        const int64_t first = chunk * chunk_rows_, last = std::min(n_, first + chunk_rows_);
        if (both_ways_ && first >= end) return;
        pack_rows(first, last, own);
        std::fill_n(own.row_sums.data(), own.row_sums.size(), 0.0);
        const int64_t from = both_ways_ ? std::max(begin, first) : begin;
        const int64_t middle = both_ways_ ? std::clamp(last, from, end) : end;
        meet_tiles(first, last, from - begin, middle - begin, false, own);
        meet_tiles(first, last, middle - begin, end - begin, true, own);
        for (int64_t i = 0; i < last - first; ++i)
            for (int64_t level = 0; level < kSumLevels; ++level)
                sums_[static_cast<size_t>(level * n_ + first + i)] +=
                    own.row_sums[(i / kLanes * kSumLevels + level) * kLanes + i % kLanes];
    }

    /// Rows [first, last) and the panel's references [begin, end).
    void meet_tiles(int64_t first, int64_t last, int64_t begin, int64_t end, bool both_ways,
                    Worker& own) {
        alignas(kAlignment) double inside[kLanes];
        DistanceTile tile{};
        tile.inside = inside;
        tile.length = d_;
        tile.anchors = anchors_;
        tile.reference_sums = both_ways ? own.tile_sums.data() : nullptr;
        for (int64_t at = begin; at < end; at += kTile) {
            tile.references = panel_.data() + at * d_;
            tile.count = std::min(kTile, end - at);
            if (both_ways) own.tile_sums.zero();
            for (int64_t row = first; row < last; row += kLanes) {
                for (int64_t l = 0; l < kLanes; ++l) inside[l] = row + l < last ? 1.0 : 0.0;
                tile.rows = own.rows.data() + (row - first) * d_;
                tile.row_sums = own.row_sums.data() + (row - first) * kSumLevels;
                kernels_.add_distances(tile);
            }
            if (!both_ways) continue;
            for (int64_t i = 0; i < tile.count * kLevelLanes; ++i)
                own.reference_sums[at * kSumLevels + i / kLanes] += own.tile_sums[i];
        }
    }

    /// What the threads have summed for references [begin, end), which are rows.
    void add_reference_sums(int64_t begin, int64_t end) {
        for (const auto& own : workers_) {
            if (!own) continue;
            for (int64_t i = 0; i < end - begin; ++i)
                for (int64_t level = 0; level < kSumLevels; ++level)
                    sums_[static_cast<size_t>(level * n_ + begin + i)] +=
                        own->reference_sums[i * kSumLevels + level];
            own->reference_sums.zero();
        }
    }

    const Context& context_;
    const DistanceSumsProblem& problem_;
    const MeanDistanceKernels& kernels_;
    const bool to_itself_;
    const VectorsView references_;
    ScatteredRows references_read_;
    const bool both_ways_;  // a distance serves both its rows
    const SumAnchors anchors_;
    const int64_t n_, d_, chunk_rows_, panel_rows_;
    Buffer<double> panel_;  // [panel rows and a group, d], scaled
    std::vector<std::unique_ptr<Worker>> workers_;
    std::vector<double> sums_;  // [kSumLevels, n]
};

}  // namespace

std::vector<double> distance_sums(const Context& caller, const DistanceSumsProblem& problem) {
    const double differences = static_cast<double>(problem.features.rows) *
                               static_cast<double>(problem.rows.count) *
                               static_cast<double>(problem.features.length);
    Context context = caller;
    context.threads = useful_threads(caller.threads, differences / kDifferencesAtOnce);
    return DistanceSums(context, problem).run();
}

}  // namespace fisher_select::cpu
