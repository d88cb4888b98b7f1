// SPDX-License-Identifier: Apache-2.0
// Greedy selection by log det M on a device: select_by_log_det (ops.h), in matrix form.
#include "error.h"
#include "information_engine.h"
#include "information_stages.h"
#include "ops.h"

namespace fisher_select::cuda {

LogDetResult select_by_log_det(const Device& device, const Context& context,
                               const LogDetProblem& problem) {
    if (problem.form == LogDetForm::kernel)
        throw InputError("form: the kernel form is the CPU's alone");
    InformationEngine engine{device, context, problem.factors};
    return log_det_stage(context, problem, engine);
}

}  // namespace fisher_select::cuda
