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
                     const std::string& instruction_set)
    : kernels_(distance_kernels(instruction_set)),
      exact_(context, features, probabilities, kernels_),
      chunk_rows_(chunk_rows > 0 ? chunk_rows : kChunkRows),
      slack_(rounding_slack(features.length)) {
    const int64_t n = rows();
    summaries_ = Buffer<float>({n, fields()}, kPool, kPoolRemedy);
    if (gradient()) squared_norms_ = Buffer<double>({n}, kPool, kPoolRemedy);
    context.progress("prepare", 0, 1);
    find_directions(context);

    const int64_t tasks = (n + chunk_rows_ - 1) / chunk_rows_;
    std::vector<std::unique_ptr<Worker>> workers(static_cast<size_t>(context.threads));
    std::vector<double> largest(static_cast<size_t>(tasks));
    const auto summarise_all = [&] {
        parallel_for(context, tasks, [&](int64_t task, int thread) {
            auto& worker = workers[static_cast<size_t>(thread)];
            if (!worker)
                worker = std::make_unique<Worker>(std::min(chunk_rows_, n), exact_.classes());
            const int64_t begin = task * chunk_rows_;
            largest[static_cast<size_t>(task)] =
                summarise(begin, std::min(chunk_rows_, n - begin), *worker);
        });
        return std::sqrt(*std::max_element(largest.begin(), largest.end()));
    };
    largest_norm_ = summarise_all();
    if (!(largest_norm_ < kLargestNorm))
        throw NumericalError("squared distances overflow: scale the features down", 0);
    // The scale was the sample's; far outliers could overflow float32 with it.
    const double scaled = largest_norm_ * scale_;
    if (scaled > 0x1p40 || (scaled > 0.0 && scaled < 0x1p-40)) {
        scale_ = std::exp2(-std::ceil(std::log2(largest_norm_)));
        summarise_all();
    }
}

/// Centre, bases and scale out of some rows spread evenly over the pool.
void Embedding::find_directions(const Context& context) {
    const int64_t n = rows(), d = exact_.length(), classes = exact_.classes();
    const int64_t count = std::min(n, kSampleRows);
    constexpr const char* kSample = "a sample of the pool";
    Buffer<double> sample({count, d}, kSample, kPoolRemedy);
    center_ = Buffer<double>({d}, kSample, kPoolRemedy);
    center_.zero();
    for (int64_t i = 0; i < count; ++i) {
        exact_.load_features(i * n / count, sample.data() + i * d);
        for (int64_t k = 0; k < d; ++k) center_[k] += sample[i * d + k];
    }
    // A gradient is no product any more once its mean is taken off.
    for (int64_t k = 0; k < d; ++k)
        center_[k] = gradient() ? 0.0 : center_[k] / static_cast<double>(count);
    double largest = 0.0;
    for (int64_t i = 0; i < count; ++i) {
        double* row = sample.data() + i * d;
        for (int64_t k = 0; k < d; ++k) row[k] -= center_[k];
        largest = std::max(largest, square_sum(row, d));
    }
    if (largest > 0.0 && largest < 1e306)
        scale_ = std::exp2(-std::ceil(0.5 * std::log2(largest)));
    const int coordinates = gradient() ? kGradientCoordinates : kFeatureCoordinates;
    basis_ = as_columns(leading_directions(context.blas, sample, count, d, coordinates),
                        coordinates, d);
    if (!gradient()) return;
    Buffer<double> residuals({count, classes}, kSample, kPoolRemedy);
    for (int64_t i = 0; i < count; ++i)
        exact_.load_residual(i * n / count, residuals.data() + i * classes);
    class_basis_ = as_columns(
        leading_directions(context.blas, residuals, count, classes, kClassCoordinates),
        kClassCoordinates, classes);
    class_zeros_ = Buffer<double>({classes}, kSample, kPoolRemedy);
    class_zeros_.zero();
}

/// Rows [begin, begin + count); returns their largest squared norm.
double Embedding::summarise(int64_t begin, int64_t count, Worker& worker) {
    const int64_t classes = exact_.classes();
    exact_.project(begin, count, center_.data(), basis_.data(), worker.y.data(),
                   worker.squares.data());
    if (gradient()) {
        for (int64_t i = 0; i < count; ++i)
            exact_.load_residual(begin + i, worker.r.data() + i * classes);
        kernels_.project_double(worker.r.data(), classes, count, classes, class_zeros_.data(),
                                class_basis_.data(), worker.w.data(),
                                worker.class_squares.data());
    }
    double largest = 0.0;
    for (int64_t i = 0; i < count; ++i) {
        const double square = worker.squares[i];
        // NaN must not hide: infinity minus infinity in the centre.
        largest = square > largest || square != square ? square : largest;
        const double* y = worker.y.data() + i * kLanes;
        if (gradient())
            store_gradient(begin + i, square, y, worker.class_squares[i],
                           worker.w.data() + i * kLanes);
        else
            store_features(begin + i, square, y);
    }
    return largest;
}

void Embedding::store_features(int64_t row, double square, const double* coordinates) {
    float* to = summaries_.data() + row * kFeatureFields;
    for (int k = 0; k < kFeatureCoordinates; ++k)
        to[k] = static_cast<float>(scale_ * coordinates[k]);
    to[kFeatureRest] = static_cast<float>(
        scale_ * std::sqrt(rest_square(square, coordinates, kFeatureCoordinates)));
    to[kFeatureSlack] = static_cast<float>(scale_ * slack_ * std::sqrt(square));
}

/// Rests are rounded up: a larger one only widens the bound.
void Embedding::store_gradient(int64_t row, double square, const double* coordinates,
                               double class_square, const double* class_coordinates) {
    float* to = summaries_.data() + row * kGradientFields;
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
    squared_norms_[row] = square * class_square;
    to[kGradientNorm] = static_cast<float>(scale_ * scale_ * squared_norms_[row]);
}

float Embedding::limit(int64_t row, double squared) const {
    if (gradient()) return static_cast<float>(scale_ * scale_ * squared);
    return static_cast<float>(scale_ * std::sqrt(squared)) + summary(row)[kFeatureSlack];
}

double Embedding::pack(int64_t row, double scale, double* scratch, float* x, float* r) const {
    const int64_t d = exact_.length(), classes = exact_.classes();
    exact_.load_features(row, scratch);
    for (int64_t k = 0; k < d; ++k) scratch[k] = scale * (scratch[k] - center_[k]);
    pack_row(scratch, 1, d, x);
    const double square = square_sum(scratch, d);
    if (!gradient()) return square;
    exact_.load_residual(row, scratch);
    pack_row(scratch, 1, classes, r);
    return square * square_sum(scratch, classes);
}

}  // namespace fisher_select::cpu
