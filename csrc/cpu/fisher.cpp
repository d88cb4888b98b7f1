// SPDX-License-Identifier: Apache-2.0
// Forward-backward greedy selection by tr(M^-1 F): the stages of select_by_trace (ops.h).
#include "dispatch.h"
#include "error.h"
#include "information.h"
#include "information_objective.h"
#include "ops.h"
#include "parallel.h"
#include "stage.h"
#include "stopwatch.h"

namespace fisher_select::cpu {

InformationResult select_by_trace(const Context& caller, const TraceProblem& problem) {
    const Factors& factors = problem.factors;
    Context context = caller;
    context.threads = useful_threads(caller.threads, factors.pick_cost(Criterion::trace));
    const int64_t n = factors.count();
    InformationResult result;
    Stopwatch watch(result.seconds);
    PoolOptions options;
    options.scale = problem.scale;
    options.chunk_rows = problem.chunk_rows;
    const double blind = problem.use_pool_fisher ? 0.0 : factors.blind_trace(problem.lam);

    context.progress("fisher", 0, 1);
    Information information(context, factors, pool_kernels<double>(problem.instruction_set),
                            problem.lam,
                            problem.use_pool_fisher ? PoolFisher::mean : PoolFisher::identity);
    if (problem.labeled.count > 0)
        information.add_samples(problem.labeled,
                                problem.shrink / static_cast<double>(problem.labeled.count));
    watch.lap("fisher");

    std::vector<int64_t>& forward = result.forward_indices;
    std::vector<double> gains;
    {
        context.progress("setup", 0, 1);
        information.refresh(0);
        InformationObjective objective(context, factors, {nullptr, n}, information,
                                       Direction::add, Precision::float32, options,
                                       problem.instruction_set);
        watch.lap("setup");

        GreedyResult stage = run_stage(context, objective, mask(n, problem.labeled),
                                       {"forward", problem.forward_count}, blind, result);
        forward = std::move(stage.picks);
        gains = std::move(stage.scores);
        objective.settle();
        watch.lap("forward");
    }

    std::vector<char> removed(forward.size(), 0);
    if (problem.forward_count > problem.batch_size) {
        information.refresh(problem.forward_count);
        InformationObjective objective(context, factors,
                                       {forward.data(), static_cast<int64_t>(forward.size())},
                                       information, Direction::remove, Precision::float64,
                                       options, problem.instruction_set);
        const GreedyResult stage = run_stage(
            context, objective, removed,
            {"backward", problem.forward_count - problem.batch_size, problem.forward_count},
            blind, result);
        for (int64_t i : stage.picks) removed[static_cast<size_t>(i)] = 1;
        watch.lap("backward");
    }
    for (size_t i = 0; i < forward.size(); ++i)
        if (!removed[i]) {
            result.indices.push_back(forward[i]);
            result.scores.push_back(gains[i]);
        }
    return result;
}

}  // namespace fisher_select::cpu
