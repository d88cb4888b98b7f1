// SPDX-License-Identifier: Apache-2.0
// One bind_* function per operation; core_module.cpp and cuda_module.cpp call them.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>
#include <string>

namespace fisher_select::bindings {

void bind_cuda_distance(pybind11::module_& m);
void bind_cuda_fisher(pybind11::module_& m);
void bind_cuda_information_gain(pybind11::module_& m);
void bind_cuda_mask(pybind11::module_& m);
void bind_cuda_memory(pybind11::module_& m);
void bind_cuda_validation(pybind11::module_& m);
void bind_distance(pybind11::module_& m);
void bind_errors(pybind11::module_& m);
void bind_fisher(pybind11::module_& m);
void bind_information_gain(pybind11::module_& m);
void bind_mask(pybind11::module_& m);
void bind_mean_distance(pybind11::module_& m);

}  // namespace fisher_select::bindings
