// SPDX-License-Identifier: Apache-2.0
// C++ exceptions as the Python errors of DESIGN section 7.
#include "error.h"

#include <pybind11/pybind11.h>

#include "rooms.h"

namespace fisher_select::bindings {

namespace py = pybind11;

void bind_errors(py::module_&) {
    py::register_local_exception_translator([](std::exception_ptr p) {
        try {
            if (p) std::rethrow_exception(p);
        } catch (const InputError& e) {
            py::set_error(PyExc_ValueError, e.what());
        } catch (const OutOfMemory& e) {
            py::set_error(PyExc_MemoryError, e.what());
        } catch (const NumericalError& e) {
            const py::object type =
                py::module_::import("fisher_select.errors").attr("NumericalError");
            const py::object error = type(e.what());
            error.attr("step") = e.step;
            py::set_error(type, error);
        }
    });
}

}  // namespace fisher_select::bindings
