// SPDX-License-Identifier: Apache-2.0
// Diagonal Fisher information on a device: its accumulation, and the mask of its largest
// entries.
#include <algorithm>
#include <limits>
#include <vector>

#include "input_errors.h"
#include "launch.h"
#include "memory.h"
#include "ops.h"
#include "top_k.h"

namespace fisher_select::cuda {
namespace {

constexpr const char* kCut = "the diagonal, cut in parts,";
constexpr const char* kFewerParts = "name `always` by fewer ranges, or use fewer layers";
constexpr auto kNone = std::numeric_limits<unsigned long long>::max();

void append_chunks(int64_t begin, int64_t end, int32_t layer, std::vector<Chunk>& chunks) {
    for (; begin < end; begin += kChunk)
        chunks.push_back({begin, static_cast<int32_t>(std::min(kChunk, end - begin)), layer});
}

/// The layers, cut where a range of `always` begins or ends.
std::vector<Chunk> cut(const MaskProblem& problem) {
    std::vector<Chunk> chunks;
    int64_t begin = 0, layer_end = 0;
    auto range = problem.always.begin();
    for (size_t layer = 0; layer < problem.layer_sizes.size(); ++layer) {
        layer_end += problem.layer_sizes[layer];
        while (begin < layer_end) {
            const bool kept = range != problem.always.end() && range->begin <= begin;
            int64_t end = layer_end;
            if (range != problem.always.end())
                end = std::min(end, kept ? range->end : range->begin);
            append_chunks(begin, end, kept ? kAlwaysKept : static_cast<int32_t>(layer), chunks);
            if (kept && end == range->end) ++range;
            begin = end;
        }
    }
    return chunks;
}

template <class T>
DeviceBuffer<T> upload(const Device& device, const std::vector<T>& values) {
    const auto count = static_cast<int64_t>(values.size());
    DeviceBuffer<T> copy(device, {count}, kCut, kFewerParts);
    copy.upload(values.data(), count);
    return copy;
}

template <class T>
[[noreturn]] void report_bad(const Device& device, const ValuesView& view, int64_t entry) {
    T value{};
    check(cudaMemcpyAsync(&value, static_cast<const T*>(view.data) + entry * view.stride,
                          sizeof value, cudaMemcpyDeviceToHost, device.stream()),
          "copy an entry of diagonal");
    device.synchronize();
    throw bad_diagonal(entry, static_cast<double>(value));
}

/// Chunks in order: those of a layer take what it still needs of entries equal to its
/// threshold. A few additions a chunk of thousands of entries, so the host does them.
std::vector<Place> place_chunks(const std::vector<Chunk>& chunks,
                                const std::vector<Reached>& reached,
                                std::vector<Threshold> thresholds, int64_t expected) {
    std::vector<Place> places(chunks.size());
    int64_t offset = 0;
    for (size_t c = 0; c < chunks.size(); ++c) {
        places[c].offset = offset;
        if (chunks[c].layer == kAlwaysKept) {
            offset += chunks[c].length;
            continue;
        }
        long long& need = thresholds[static_cast<size_t>(chunks[c].layer)].need;
        places[c].ties = std::min<int64_t>(need, reached[c].equal);
        need -= places[c].ties;
        offset += reached[c].beyond + places[c].ties;
    }
    internal_check(offset == expected, "a mask has as many entries as were asked for");
    return places;
}

template <class T>
std::vector<int64_t> top_k(const Device& device, const Context& context,
                           const MaskProblem& problem) {
    const std::vector<Chunk> parts = cut(problem);
    std::vector<Threshold> wanted(problem.quotas.size());
    for (size_t l = 0; l < wanted.size(); ++l) wanted[l].need = problem.quotas[l];

    const DeviceBuffer<Chunk> chunks = upload(device, parts);
    const DeviceBuffer<Threshold> thresholds = upload(device, wanted);
    DeviceBuffer<unsigned long long> counts(device, {thresholds.size(), kDigits},
                                            "the histograms of the layers", "use fewer layers");
    const DeviceBuffer<Reached> reached(device, {chunks.size()}, kCut, kFewerParts);
    const DeviceBuffer<unsigned long long> first_bad = upload(device, std::vector{kNone});

    const TopKInput<T> input{static_cast<const T*>(problem.diagonal.data),
                             problem.diagonal.stride,
                             chunks.data(),
                             chunks.size(),
                             thresholds.data(),
                             thresholds.size()};
    for (int shift = key_bits<T>(), next = 0; shift > 0; shift = next) {
        next = std::max(shift - kDigitBits, 0);
        counts.zero();
        narrow(device, input, shift, next, counts.data());
    }
    count_reached(device, input, reached.data(), first_bad.data());
    const unsigned long long bad = first_bad.download()[0];
    if (bad != kNone) report_bad<T>(device, problem.diagonal, static_cast<int64_t>(bad));
    context.poll();

    const DeviceBuffer<Place> places =
        upload(device,
               place_chunks(parts, reached.download(), thresholds.download(), problem.count()));
    const DeviceBuffer<int64_t> kept(device, {problem.count()}, "a mask", "lower k");
    write_kept(device, input, reached.data(), places.data(), kept.data());
    return kept.download();
}

/// total[j] += sum over i of weights[i] g_ij^2, in the order of the rows and without fused
/// multiply-adds: the bits of the CPU's sums. A thread a column; neighbours read neighbours.
/// Cost: one reading of the gradients, where there are columns enough for a device's threads.
template <class G, class T>
__global__ void squares_kernel(const G* gradients, MatrixView shape, const double* weights,
                               T* total) {
    const int64_t j = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (j >= shape.cols) return;
    const G* const column = gradients + j * shape.col_stride;
    double sum = 0.0;
    for (int64_t i = 0; i < shape.rows; ++i) {
        const double g = static_cast<double>(column[i * shape.row_stride]);
        sum = __dadd_rn(sum, __dmul_rn(weights[i], __dmul_rn(g, g)));
    }
    total[j] = static_cast<T>(__dadd_rn(static_cast<double>(total[j]), sum));
}

template <class G, class T>
void accumulate(const Device& device, const MatrixView& gradients, const double* weights,
                T* total) {
    DeviceBuffer<double> scale(device, {gradients.rows}, "the weights", "add fewer rows");
    scale.upload(weights, gradients.rows);
    launch(device, "add squares", one_thread_each(gradients.cols), &squares_kernel<G, T>,
           static_cast<const G*>(gradients.data), gradients, scale.data(), total);
    device.synchronize();
}

}  // namespace

std::vector<int64_t> top_k_mask(const Device& device, const Context& context,
                                const MaskProblem& problem) {
    return problem.diagonal.dtype == DType::float32 ? top_k<float>(device, context, problem)
                                                    : top_k<double>(device, context, problem);
}

void accumulate_squares(const Device& device, const Context& context,
                        const MatrixView& gradients, const double* weights, DType total_dtype,
                        void* total) {
    context.poll();
    const bool narrow_rows = gradients.dtype == DType::float32;
    if (total_dtype == DType::float32 && narrow_rows)
        accumulate<float>(device, gradients, weights, static_cast<float*>(total));
    else if (total_dtype == DType::float32)
        accumulate<double>(device, gradients, weights, static_cast<float*>(total));
    else if (narrow_rows)
        accumulate<float>(device, gradients, weights, static_cast<double*>(total));
    else
        accumulate<double>(device, gradients, weights, static_cast<double*>(total));
}

}  // namespace fisher_select::cuda
