// SPDX-License-Identifier: Apache-2.0
// Information gain of pool samples (ops.h) on a device: a product of a block of pool rows with
// a tile of evaluation rows, then the entropies of all those pairs, chunk by chunk.
#include <algorithm>
#include <limits>
#include <vector>

#include "information_gain_kernels.h"
#include "information_gain_rows.h"
#include "input_errors.h"
#include "launch.h"
#include "linear_algebra.h"
#include "memory.h"
#include "ops.h"

namespace fisher_select::cuda {
namespace {

// Pool and evaluation samples of a product: as many pairs as keep a large device busy for some
// 100 us, in a workspace that its cache can hold half of.
constexpr int64_t kMostRows = 4096, kMostTile = 2048;
constexpr int64_t kPackedValues = int64_t{1}
                                  << 25;  // of a block of samples, where those lie wide

// Work between two looks at Ctrl-C, in pairs times classes (eight features count as one): some
// 20 to 50 ms of a large device.
constexpr double kPollWork = 3e10;

constexpr const char* kWorkspace = "a workspace";
constexpr const char* kRemedy = "free memory of the device, or use the cpu backend";
constexpr const char* kTables = "the tables of the evaluation set";
constexpr const char* kFewer = "use a part of the evaluation set";
constexpr auto kNone = std::numeric_limits<unsigned long long>::max();

/// scores[a] = entropy (1 - sum of the weights) - change / m; a thread a pool sample.
__global__ void score_kernel(double entropy, const double* left, const double* change,
                             double samples, int64_t count, double* scores) {
    const int64_t a = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (a < count) scores[a] = entropy * left[a] - change[a] / samples;
}

DeviceBuffer<double> upload(const Device& device, const double* values, int64_t count) {
    if (values == nullptr) return {};
    DeviceBuffer<double> copy(device, {count}, "the last layer", "use fewer classes");
    copy.upload(values, count);
    return copy;
}

template <class T>
class GainScorer {
public:
    GainScorer(const Device& device, const Context& context, const GainProblem& problem)
        : device_(device),
          context_(context),
          problem_(problem),
          n_(problem.features.rows),
          m_(problem.eval_features.rows),
          d_(problem.features.length),
          classes_(static_cast<int>(problem.weight.cols)),
          width_(ceil_div(d_, 4) * 4),  // vector loads want 16 bytes
          rows_(block_of(n_, kMostRows)),
          tile_(block_of(m_, kMostTile)),
          weight_(device, {d_, classes_}, "the last layer", "use fewer classes"),
          bias_(upload(device, problem.bias, classes_)),
          class_weights_(upload(device, problem.class_weights, classes_)),
          s_(device, {m_, classes_}, kTables, kFewer),
          q_(device, {m_, classes_}, kTables, kFewer),
          h_(device, {m_}, kTables, kFewer),
          scores_(device, {n_}, "the scores", kRemedy),
          x_(device, {rows_, width_}, kWorkspace, kRemedy),
          y_(device, {tile_, width_}, kWorkspace, kRemedy),
          wide_(device, {std::max(rows_, tile_), width_}, kWorkspace, kRemedy),
          logits_(device, {std::max(rows_, tile_), classes_}, kWorkspace, kRemedy),
          products_(device, {tile_, rows_}, kWorkspace, kRemedy),
          p_(device, {rows_, classes_}, kWorkspace, kRemedy),
          weights_(device, {rows_, classes_}, kWorkspace, kRemedy),
          left_(device, {rows_}, kWorkspace, kRemedy),
          change_(device, {rows_}, kWorkspace, kRemedy),
          partial_(device, {ceil_div(tile_, kGainSegment), rows_}, kWorkspace, kRemedy),
          work_(device, {gain_workspace(device, classes_)}, kWorkspace, kRemedy),
          weightless_(device, {1}, kWorkspace, kRemedy) {
        weightless_.upload(&kNone, 1);
        const MatrixView& w = problem.weight;
        pack_rows(device, {w.data, w.dtype, d_, 1, classes_, w.row_stride, 0, w.col_stride}, 0,
                  d_, d_, classes_, weight_.data());
    }

    std::vector<double> run() {
        context_.progress("score", 0, n_);
        const double entropy = prepare_evaluation_set();
        for (int64_t begin = 0; begin < n_; begin += rows_) {
            const int64_t count = std::min(rows_, n_ - begin);
            prepare_rows(begin, count);
            for (int64_t j = 0; j < m_; j += tile_) {
                add_tile(count, j);
                const int64_t done = std::min(m_, j + tile_);
                look_up(static_cast<double>(rows_) * static_cast<double>(tile_),
                        [&] { context_.progress("score", begin + count * done / m_, n_); });
            }
            launch(device_, "compute scores", one_thread_each(count), &score_kernel, entropy,
                   left_.data(), change_.data(), static_cast<double>(m_), count,
                   scores_.data() + begin);
        }
        check_weights();
        std::vector<double> scores = scores_.download();
        context_.progress("score", n_, n_);
        return scores;
    }

private:
    /// Samples of a product: it depends on the arrays' shapes alone, and all products have this
    /// one shape, short blocks padded with zeros. Then a pair's product has the same bits
    /// wherever its rows stand, and equal samples tie.
    int64_t block_of(int64_t samples, int64_t most) const {
        const int64_t fit = kPackedValues / std::max<int64_t>(width_, classes_);
        const int64_t wanted = std::min({samples, most, std::max(fit, kGainSegment)});
        return ceil_div(wanted, kGainSegment) * kGainSegment;
    }

    /// logits_ of samples [begin, begin + count), without the bias; always in float64.
    void compute_logits(const VectorsView& vectors, int64_t begin, int64_t count,
                        int64_t block) {
        pack_rows(device_, vectors, begin, count, block, width_, wide_.data());
        gemm(device_, 'N', 'N', classes_, block, d_, 1.0, weight_.data(), classes_,
             wide_.data(), width_, 0.0, logits_.data(), classes_);
    }

    /// Fills the tables; returns the mean entropy.
    double prepare_evaluation_set() {
        DeviceBuffer<double> entropies(device_, {m_}, kTables, kFewer);
        for (int64_t j = 0; j < m_; j += tile_) {
            const int64_t count = std::min(tile_, m_ - j), at = j * classes_;
            compute_logits(problem_.eval_features, j, count, tile_);
            fill_tables<T>(
                device_, logits_.data(), bias_.data(), count, classes_,
                {s_.data() + at, q_.data() + at, h_.data() + j, entropies.data() + j});
            look_up(static_cast<double>(tile_), [] {});
        }
        double mean = 0.0;
        for (const double h : entropies.download()) mean += h / static_cast<double>(m_);
        return mean;
    }

    /// Features, probabilities and label weights of a block of pool samples.
    void prepare_rows(int64_t begin, int64_t count) {
        const bool given = problem_.probabilities.rows > 0;
        if (!given) compute_logits(problem_.features, begin, count, rows_);
        WeightedRows<T> rows;
        rows.begin = begin;
        rows.count = count;
        rows.classes = classes_;
        rows.logits = logits_.data();
        rows.bias = bias_.data();
        rows.given = problem_.probabilities;
        rows.class_weights = class_weights_.data();
        rows.by_probability = problem_.by_probability;
        rows.normalize = problem_.normalize;
        rows.p = p_.data();
        rows.weights = weights_.data();
        rows.left = left_.data();
        rows.weightless = weightless_.data();
        weigh_rows(device_, rows);
        pack_rows(device_, problem_.features, begin, count, rows_, width_, x_.data());
        change_.zero();
    }

    /// Adds a tile of evaluation samples to change_.
    void add_tile(int64_t rows, int64_t j) {
        const int64_t count = std::min(tile_, m_ - j);
        pack_rows(device_, problem_.eval_features, j, count, tile_, width_, y_.data());
        gemm(device_, 'T', 'N', rows_, tile_, width_, T{1}, x_.data(), width_, y_.data(),
             width_, T{0}, products_.data(), rows_);
        GainTile<T> tile;
        tile.classes = classes_;
        tile.rows = rows;
        tile.count = count;
        tile.products = products_.data();
        tile.ld = rows_;
        tile.rate = static_cast<T>(problem_.learning_rate);
        tile.bias = problem_.bias != nullptr ? T{1} : T{0};
        tile.s = s_.data() + j * classes_;
        tile.q = q_.data() + j * classes_;
        tile.h = h_.data() + j;
        tile.p = p_.data();
        tile.weights = weights_.data();
        tile.partial = partial_.data();
        tile.change = change_.data();
        tile.work = work_.data();
        add_changes(device_, tile);
    }

    /// Once enough was asked of the device: waits for it, and looks at what the caller wants.
    template <class Report>
    void look_up(double pairs, const Report& report) {
        asked_ += pairs * static_cast<double>(classes_ + d_ / 8);
        if (asked_ < kPollWork) return;
        asked_ = 0.0;
        check_weights();
        context_.poll();
        report();
    }

    void check_weights() const {
        const unsigned long long row = weightless_.download()[0];
        if (row != kNone) throw weightless_row(static_cast<int64_t>(row));
    }

    const Device& device_;
    const Context& context_;
    const GainProblem& problem_;
    int64_t n_, m_, d_;
    int classes_;
    int64_t width_, rows_, tile_;  // packed features; samples of a product
    DeviceBuffer<double> weight_, bias_, class_weights_;  // [d, classes], [classes] each
    DeviceBuffer<T> s_, q_, h_;                           // see GainTile
    DeviceBuffer<double> scores_;                         // [n]
    DeviceBuffer<T> x_, y_;               // pool samples, evaluation samples [., width]
    DeviceBuffer<double> wide_, logits_;  // either, for their logits
    DeviceBuffer<T> products_, p_;        // see GainTile
    DeviceBuffer<double> weights_, left_, change_, partial_;
    DeviceBuffer<T> work_;
    DeviceBuffer<unsigned long long> weightless_;
    double asked_ = 0.0;  // work since the last look at Ctrl-C
};

}  // namespace

std::vector<double> information_gain(const Device& device, const Context& context,
                                     const GainProblem& problem) {
    const bool single = problem.features.dtype == DType::float32 &&
                        problem.eval_features.dtype == DType::float32;
    return single ? GainScorer<float>(device, context, problem).run()
                  : GainScorer<double>(device, context, problem).run();
}

}  // namespace fisher_select::cuda
