// SPDX-License-Identifier: Apache-2.0
// Greedy selection by log det M: select_by_log_det (ops.h), forward only.
#include "dispatch.h"
#include "information.h"
#include "information_objective.h"
#include "ops.h"
#include "parallel.h"
#include "screened_picker.h"
#include "stopwatch.h"

namespace fisher_select::cpu {

InformationResult select_by_log_det(const Context& caller, const InformationProblem& problem) {
    const Factors& factors = problem.factors;
    Context context = caller;
    context.threads = useful_threads(caller.threads, factors.pick_cost(Criterion::log_det));
    const int64_t n = factors.count();
    InformationResult result;
    Stopwatch watch(result.seconds);
    PoolOptions options;
    options.criterion = Criterion::log_det;
    options.chunk_rows = problem.chunk_rows;

    context.progress("setup", 0, 1);
    Information information(context, factors, pool_kernels<double>(problem.instruction_set),
                            problem.lam, PoolFisher::none);
    information.add_samples(problem.labeled, 1.0);
    information.refresh(0);
    InformationObjective objective(context, factors, {nullptr, n}, information, Direction::add,
                                   Precision::float32, options, problem.instruction_set);
    watch.lap("setup");

    GreedyResult stage = pick_greedily(context, objective, mask(n, problem.labeled),
                                       {"forward", problem.batch_size});
    result.indices = std::move(stage.picks);
    result.scores = std::move(stage.scores);
    result.refreshes = stage.refreshes;
    result.max_drift = stage.max_drift;
    const double blind = factors.blind_log_det(problem.lam);
    for (double value : objective.path()) result.objective.push_back(value + blind);
    watch.lap("forward");
    return result;
}

}  // namespace fisher_select::cpu
