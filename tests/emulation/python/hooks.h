// SPDX-License-Identifier: Apache-2.0
// What tests ask of the emulated module beside the product's functions.
#pragma once

#include <pybind11/pybind11.h>

namespace emulation {

void bind_hooks(pybind11::module_& m);

}  // namespace emulation
