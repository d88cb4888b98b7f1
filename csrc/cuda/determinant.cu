// SPDX-License-Identifier: Apache-2.0
// Greedy selection by log det M on a device, forward only: select_by_log_det in matrix form.
#include <utility>

#include "error.h"
#include "information.h"
#include "information_picker.h"
#include "ops.h"
#include "stage.h"
#include "stopwatch.h"

namespace fisher_select::cuda {

LogDetResult select_by_log_det(const Device& device, const Context& context,
                               const LogDetProblem& problem) {
    if (problem.form == LogDetForm::kernel)
        throw InputError("form: the kernel form is the CPU's alone");
    const Factors& factors = problem.factors;
    const int64_t n = factors.count();
    LogDetResult result;
    Stopwatch watch(result.seconds);
    PoolOptions options;
    options.criterion = Criterion::log_det;
    options.chunk_rows = problem.chunk_rows;

    context.progress("setup", 0, 1);
    Information information(device, factors, problem.lam, PoolFisher::none);
    information.add_samples(problem.labeled, 1.0);
    information.refresh(0);
    const GreedyOptions stage{"forward", problem.batch_size};
    InformationPicker picker(device, factors, {nullptr, n}, mask(n, problem.labeled),
                             information, Direction::add, Precision::float32, options,
                             stage.rtol);
    device.synchronize();
    watch.lap("setup");

    GreedyResult found =
        run_stage(context, picker, stage, factors.blind_log_det(problem.lam), result);
    result.indices = std::move(found.picks);
    result.scores = std::move(found.scores);
    watch.lap("forward");
    return result;
}

}  // namespace fisher_select::cuda
