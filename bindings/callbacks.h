// SPDX-License-Identifier: Apache-2.0
// The core's callbacks as Python sees them: signals are looked at, and progress is reported, on
// the caller's thread with the GIL taken back for a moment.
#pragma once

#include <pybind11/pybind11.h>

#include "context.h"

namespace fisher_select::bindings {

/// A context for one call. `progress` is None or callable(stage, done, total); what it raises,
/// and KeyboardInterrupt, end the call. The object must outlive the context.
Context make_context(int threads, const pybind11::object& progress);

/// BLAS and LAPACK pointers out of SciPy's documented capsules. The module asks for it when it
/// is imported: who then limits the threads of every BLAS in the process meets this one too.
const Blas& blas_table();

}  // namespace fisher_select::bindings
