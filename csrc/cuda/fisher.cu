// SPDX-License-Identifier: Apache-2.0
// Forward-backward greedy selection by tr(M^-1 F) on a device: select_by_trace (ops.h).
#include "information_engine.h"
#include "information_stages.h"
#include "ops.h"

namespace fisher_select::cuda {

InformationResult select_by_trace(const Device& device, const Context& context,
                                  const TraceProblem& problem) {
    InformationEngine engine{device, context, problem.factors};
    return trace_stages(context, problem, engine);
}

}  // namespace fisher_select::cuda
