// SPDX-License-Identifier: Apache-2.0
// The summaries that bound distances, and the vectors that do; see embedding.h.
#include "embedding.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "dispatch.h"
#include "error.h"
#include "parallel.h"
#include "rows.h"
#include "subspace.h"

namespace fisher_select::cpu {
namespace {

constexpr int64_t kSampleRows = 1024;
constexpr int64_t kChunkRows = 256;
constexpr const char* kPool = "the pool's summaries";
constexpr const char* kPoolRemedy = "select from a part of the pool";

double square_sum(const double* a, int64_t length) {
    double sum[4] = {};
    int64_t k = 0;
    for (; k + 4 <= length; k += 4)
        for (int l = 0; l < 4; ++l) sum[l] += a[k + l] * a[k + l];
    for (; k < length; ++k) sum[0] += a[k] * a[k];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/// Directions [count, length] as the columns of [length, kLanes], the rest zero.
Buffer<double> as_columns(const Buffer<double>& directions, int64_t count, int64_t length) {
    Buffer<double> columns({length, kLanes}, "the basis of the distance bounds",
                           "select from a part of the features");
    columns.zero();
    for (int64_t j = 0; j < count; ++j)
        for (int64_t k = 0; k < length; ++k)
            columns[k * kLanes + j] = directions[j * length + k];
    return columns;
}

/// NaN must not hide: infinity minus infinity in the centre.
double larger(double a, double b) { return a > b || a != a ? a : b; }

double largest_of(const std::vector<double>& values) {
    double largest = 0.0;
    for (double value : values) largest = larger(value, largest);
    return largest;
}

double rest_square(double square, const double* coordinates, int count) {
    return std::max(0.0, square - square_sum(coordinates, count));
}

}  // namespace

/// Coordinates and squared norms of a chunk of rows, of one thread; for gradients those of the
/// residuals as well.
struct Embedding::Worker {
    Worker(int64_t rows, int64_t classes) {
        constexpr const char* kPurpose = "a thread's workspace";
        constexpr const char* kLower = "lower chunk_rows or threads";
        y = Buffer<double>({rows, kLanes}, kPurpose, kLower);
        squares = Buffer<double>({rows}, kPurpose, kLower);
        if (classes == 0) return;
        r = Buffer<double>({rows, classes}, kPurpose, kLower);
        w = Buffer<double>({rows, kLanes}, kPurpose, kLower);
        class_squares = Buffer<double>({rows}, kPurpose, kLower);
    }
    Buffer<double> y, squares, r, w, class_squares;
};

Embedding::Embedding(const Context& context, const VectorsView& features,
                     const MatrixView& probabilities, int64_t chunk_rows,
                     const std::string& instruction_set, const Collective* ranks)
    : kernels_(distance_kernels(instruction_set)),
      exact_(context, features, probabilities, kernels_),
      ranks_(ranks),
      chunk_rows_(chunk_rows > 0 ? chunk_rows : kChunkRows),
      slack_(rounding_slack(features.length)) {
    const int64_t n = rows();
    summaries_ = Buffer<float>({n, fields()}, kPool, kPoolRemedy);
    if (gradient()) squared_norms_ = Buffer<double>({n}, kPool, kPoolRemedy);
    context.progress("prepare", 0, 1);
    find_directions(context);
    largest_norm_ = summarise_all(context);
    if (!(largest_norm_ < kLargestNorm))
        throw NumericalError("squared distances overflow: scale the features down", 0);
    // The scale was the sample's; far outliers could overflow float32 with it.
    const double scaled = largest_norm_ * scale_;
    if (scaled > 0x1p40 || (scaled > 0.0 && scaled < 0x1p-40)) {
        scale_ = std::exp2(-std::ceil(std::log2(largest_norm_)));
        summarise_all(context);
    }
}

/// [., width] out of `load` for some points spread evenly over the pool, or over every shard.
template <class Load>
Buffer<double> Embedding::sample(int64_t width, const Load& load) const {
    const int64_t n = rows();
    const int64_t own =
        ranks_ ? std::max<int64_t>(1, kSampleRows / ranks_->ranks) : std::min(n, kSampleRows);
    constexpr const char* kSample = "a sample of the pool";
    Buffer<double> values({own, width}, kSample, kPoolRemedy);
    for (int64_t i = 0; i < own; ++i)
        load(exact_.point(i * n / own), values.data() + i * width);
    if (ranks_ == nullptr) return values;
    Buffer<double> everybodys({ranks_->ranks, own, width}, kSample, kPoolRemedy);
    ranks_->gather(values.data(), values.size(), everybodys.data());
    return everybodys;
}

/// Centre, bases and scale, out of a sample.
void Embedding::find_directions(const Context& context) {
    const int64_t d = exact_.length(), classes = exact_.classes();
    Buffer<double> points =
        sample(d, [&](const Point& point, double* to) { exact_.load_features(point, to); });
    const int64_t count = points.size() / d;
    center_ = Buffer<double>({d}, kPool, kPoolRemedy);
    center_.zero();
    // A gradient is no product any more once its mean is taken off.
    for (int64_t i = 0; i < count && !gradient(); ++i)
        for (int64_t k = 0; k < d; ++k)
            center_[k] += points[i * d + k] / static_cast<double>(count);
    double largest = 0.0;
    for (int64_t i = 0; i < count; ++i) {
        double* point = points.data() + i * d;
        for (int64_t k = 0; k < d; ++k) point[k] -= center_[k];
        largest = std::max(largest, square_sum(point, d));
    }
    if (largest > 0.0 && largest < 1e306)
        scale_ = std::exp2(-std::ceil(0.5 * std::log2(largest)));
    const int coordinates = gradient() ? kGradientCoordinates : kFeatureCoordinates;
    basis_ = as_columns(leading_directions(context.blas, points, count, d, coordinates),
                        coordinates, d);
    if (!gradient()) return;
    const Buffer<double> residuals = sample(
        classes, [&](const Point& point, double* to) { exact_.load_residual(point, to); });
    class_basis_ = as_columns(
        leading_directions(context.blas, residuals, count, classes, kClassCoordinates),
        kClassCoordinates, classes);
    class_zeros_ = Buffer<double>({classes}, kPool, kPoolRemedy);
    class_zeros_.zero();
}

/// Returns the largest norm there is, on any rank.
double Embedding::summarise_all(const Context& context) {
    const int64_t n = rows(), tasks = (n + chunk_rows_ - 1) / chunk_rows_;
    std::vector<std::unique_ptr<Worker>> workers(static_cast<size_t>(context.threads));
    std::vector<double> squares(static_cast<size_t>(tasks));
    parallel_for(context, tasks, [&](int64_t task, int thread) {
        auto& worker = workers[static_cast<size_t>(thread)];
        if (!worker)
            worker = std::make_unique<Worker>(std::min(chunk_rows_, n), exact_.classes());
        const int64_t begin = task * chunk_rows_;
        squares[static_cast<size_t>(task)] =
            summarise_rows(begin, std::min(chunk_rows_, n - begin), *worker);
    });
    double largest = largest_of(squares);
    if (ranks_ == nullptr) return std::sqrt(largest);
    squares.resize(static_cast<size_t>(ranks_->ranks));
    ranks_->gather(&largest, 1, squares.data());
    return std::sqrt(largest_of(squares));
}

/// Rows [begin, begin + count); returns their largest squared norm.
double Embedding::summarise_rows(int64_t begin, int64_t count, Worker& worker) {
    const int64_t classes = exact_.classes();
    exact_.project(begin, count, center_.data(), basis_.data(), worker.y.data(),
                   worker.squares.data());
    if (gradient()) {
        for (int64_t i = 0; i < count; ++i)
            exact_.load_residual(exact_.point(begin + i), worker.r.data() + i * classes);
        kernels_.project_double(worker.r.data(), classes, count, classes, class_zeros_.data(),
                                class_basis_.data(), worker.w.data(),
                                worker.class_squares.data());
    }
    double largest = 0.0;
    for (int64_t i = 0; i < count; ++i) {
        const double square = worker.squares[i];
        largest = larger(square, largest);
        const double* y = worker.y.data() + i * kLanes;
        float* to = summaries_.data() + (begin + i) * fields();
        if (gradient()) {
            squared_norms_[begin + i] = square * worker.class_squares[i];
            store_gradient(square, y, worker.class_squares[i], worker.w.data() + i * kLanes,
                           to);
        } else {
            store_features(square, y, to);
        }
    }
    return largest;
}

void Embedding::summarise(const Point& point, float* to) const {
    const int64_t d = exact_.length(), classes = exact_.classes();
    std::vector<double> values(static_cast<size_t>(std::max(d, classes)));
    double y[kLanes], w[kLanes], square = 0.0, class_square = 0.0;
    exact_.load_features(point, values.data());
    kernels_.project_double(values.data(), d, 1, d, center_.data(), basis_.data(), y, &square);
    if (!gradient()) return store_features(square, y, to);
    exact_.load_residual(point, values.data());
    kernels_.project_double(values.data(), classes, 1, classes, class_zeros_.data(),
                            class_basis_.data(), w, &class_square);
    store_gradient(square, y, class_square, w, to);
}

void Embedding::store_features(double square, const double* coordinates, float* to) const {
    for (int k = 0; k < kFeatureCoordinates; ++k)
        to[k] = static_cast<float>(scale_ * coordinates[k]);
    to[kFeatureRest] = static_cast<float>(
        scale_ * std::sqrt(rest_square(square, coordinates, kFeatureCoordinates)));
    to[kFeatureSlack] = static_cast<float>(scale_ * slack_ * std::sqrt(square));
}

/// Rests are rounded up: a larger one only widens the bound.
void Embedding::store_gradient(double square, const double* coordinates, double class_square,
                               const double* class_coordinates, float* to) const {
    for (int k = 0; k < kGradientCoordinates; ++k)
        to[k] = static_cast<float>(scale_ * coordinates[k]);
    to[kGradientRest] = static_cast<float>(
        scale_ * (std::sqrt(rest_square(square, coordinates, kGradientCoordinates)) +
                  slack_ * std::sqrt(square)));
    const bool whole = exact_.classes() <= kClassCoordinates;
    const double class_slack = rounding_slack(exact_.classes());
    for (int k = 0; k < kClassCoordinates; ++k)
        to[kClassFirst + k] = static_cast<float>(class_coordinates[k]);
    to[kClassRest] =
        whole ? 0.0f
              : static_cast<float>(
                    std::sqrt(rest_square(class_square, class_coordinates, kClassCoordinates)) +
                    class_slack * std::sqrt(class_square));
    to[kGradientNorm] = static_cast<float>(scale_ * scale_ * (square * class_square));
}

float Embedding::limit(int64_t row, double squared) const {
    if (gradient()) return static_cast<float>(scale_ * scale_ * squared);
    return static_cast<float>(scale_ * std::sqrt(squared)) + summary(row)[kFeatureSlack];
}

double Embedding::pack(const Point& point, double scale, double* scratch, float* x,
                       float* r) const {
    const int64_t d = exact_.length(), classes = exact_.classes();
    exact_.load_features(point, scratch);
    for (int64_t k = 0; k < d; ++k) scratch[k] = scale * (scratch[k] - center_[k]);
    pack_row(scratch, 1, d, x);
    const double square = square_sum(scratch, d);
    if (!gradient()) return square;
    exact_.load_residual(point, scratch);
    pack_row(scratch, 1, classes, r);
    return square * square_sum(scratch, classes);
}

}  // namespace fisher_select::cpu
