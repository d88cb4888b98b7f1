// SPDX-License-Identifier: Apache-2.0
// Context of a call: BLAS table, Ctrl-C, progress. See callbacks.h.
#include "callbacks.h"

#include <chrono>
#include <string>

namespace fisher_select::bindings {

namespace py = pybind11;

namespace {

using Clock = std::chrono::steady_clock;

template <class Function>
Function routine(const char* module, const char* name) {
    const py::dict table = py::module_::import(module).attr("__pyx_capi__");
    const auto capsule = py::reinterpret_borrow<py::capsule>(table[name]);
    return reinterpret_cast<Function>(capsule.get_pointer());
}

}  // namespace

const Blas& blas_table() {
    static const Blas table = [] {
        constexpr const char* kBlas = "scipy.linalg.cython_blas";
        constexpr const char* kLapack = "scipy.linalg.cython_lapack";
        Blas blas;
        blas.sgemm = routine<GemmFunction<float>>(kBlas, "sgemm");
        blas.dgemm = routine<GemmFunction<double>>(kBlas, "dgemm");
        blas.dtrsm = routine<TrsmFunction<double>>(kBlas, "dtrsm");
        blas.dpotrf = routine<PotrfFunction<double>>(kLapack, "dpotrf");
        return blas;
    }();
    return table;
}

Context make_context(int threads, const py::object& progress) {
    Context context;
    context.blas = blas_table();
    context.threads = threads;
    context.poll = [last = Clock::time_point{}]() mutable {
        const auto now = Clock::now();
        if (now - last < std::chrono::milliseconds(30)) return;
        last = now;
        py::gil_scoped_acquire gil;
        if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    };
    if (progress.is_none()) return context;
    context.progress = [&progress, last = Clock::time_point{}](const char* stage, int64_t done,
                                                               int64_t total) mutable {
        // A bar needs no more than ten looks a second; a stage's end is always told.
        const auto now = Clock::now();
        if (done != 0 && done != total && now - last < std::chrono::milliseconds(100)) return;
        last = now;
        py::gil_scoped_acquire gil;
        progress(stage, done, total);
    };
    return context;
}

}  // namespace fisher_select::bindings
