// SPDX-License-Identifier: Apache-2.0
// Forward-backward greedy selection by tr(M^-1 F) on a device: the stages of select_by_trace.
#include <utility>

#include "error.h"
#include "information.h"
#include "information_picker.h"
#include "ops.h"
#include "stage.h"
#include "stopwatch.h"

namespace fisher_select::cuda {

InformationResult select_by_trace(const Device& device, const Context& context,
                                  const TraceProblem& problem) {
    const Factors& factors = problem.factors;
    const int64_t n = factors.count();
    InformationResult result;
    Stopwatch watch(result.seconds);
    const auto lap = [&](const char* stage) {
        device.synchronize();
        watch.lap(stage);
    };
    PoolOptions options;
    options.scale = problem.scale;
    options.chunk_rows = problem.chunk_rows;
    const double blind = problem.use_pool_fisher ? 0.0 : factors.blind_trace(problem.lam);

    context.progress("fisher", 0, 1);
    Information information(device, factors, problem.lam,
                            problem.use_pool_fisher ? PoolFisher::mean : PoolFisher::identity);
    if (problem.labeled.count > 0)
        information.add_samples(problem.labeled,
                                problem.shrink / static_cast<double>(problem.labeled.count));
    lap("fisher");

    std::vector<int64_t>& forward = result.forward_indices;
    std::vector<double> gains;
    {
        context.progress("setup", 0, 1);
        information.refresh(0);
        const GreedyOptions stage{"forward", problem.forward_count};
        InformationPicker picker(device, factors, {nullptr, n}, mask(n, problem.labeled),
                                 information, Direction::add, Precision::float32, options,
                                 stage.rtol);
        lap("setup");

        GreedyResult found = run_stage(context, picker, stage, blind, result);
        forward = std::move(found.picks);
        gains = std::move(found.scores);
        picker.settle();
        lap("forward");
    }

    std::vector<char> removed(forward.size(), 0);
    if (problem.forward_count > problem.batch_size) {
        information.refresh(problem.forward_count);
        const GreedyOptions stage{"backward", problem.forward_count - problem.batch_size,
                                  problem.forward_count};
        InformationPicker picker(
            device, factors, {forward.data(), static_cast<int64_t>(forward.size())}, removed,
            information, Direction::remove, Precision::float64, options, stage.rtol);
        for (int64_t i : run_stage(context, picker, stage, blind, result).picks)
            removed[static_cast<size_t>(i)] = 1;
        lap("backward");
    }
    for (size_t i = 0; i < forward.size(); ++i)
        if (!removed[i]) {
            result.indices.push_back(forward[i]);
            result.scores.push_back(gains[i]);
        }
    return result;
}

}  // namespace fisher_select::cuda
