// SPDX-License-Identifier: Apache-2.0
// Forward-backward greedy selection by tr(M^-1 F): select_by_trace (ops.h).
#include "information_engine.h"
#include "information_stages.h"
#include "ops.h"
#include "parallel.h"

namespace fisher_select::cpu {

InformationResult select_by_trace(const Context& caller, const TraceProblem& problem) {
    Context context = caller;
    context.threads =
        useful_threads(caller.threads, problem.factors.pick_cost(Criterion::trace));
    InformationEngine engine(context, problem, problem.forward_count);
    return trace_stages(context, problem, engine);
}

}  // namespace fisher_select::cpu
