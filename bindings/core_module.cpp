// SPDX-License-Identifier: Apache-2.0
// fisher_select._core: the CPU engine. A room a file; see rooms.h.
#include <pybind11/pybind11.h>

#include "callbacks.h"
#include "cpu/dispatch.h"
#include "rooms.h"

PYBIND11_MODULE(_core, m) {
    using namespace fisher_select;
    m.doc() = "Compiled selection kernels of fisher_select, CPU.";
    bindings::blas_table();
    bindings::bind_errors(m);
    bindings::bind_distance(m);
    bindings::bind_fisher(m);
    bindings::bind_information_gain(m);
    bindings::bind_mask(m);
    bindings::bind_mean_distance(m);
    m.def(
        "instruction_set", [] { return cpu::pool_kernels<float>("auto").instruction_set; },
        "The instruction set chosen for this processor: 'baseline', 'avx2' or 'avx512'.");
}
