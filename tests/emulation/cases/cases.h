// SPDX-License-Identifier: Apache-2.0
// What the files of cases have in common. A case prints lines of a name and a number.
#pragma once

#include <cstdio>
#include <map>
#include <string>

#include "cuda/device.h"
#include "cuda/launch.h"
#include "cuda/memory.h"
#include "cuda/reduce.h"

namespace cases {

using fisher_select::cuda::block_reduce;
using fisher_select::cuda::check;
using fisher_select::cuda::Device;
using fisher_select::cuda::DeviceBuffer;
using fisher_select::cuda::Grid;
using fisher_select::cuda::launch;
using fisher_select::cuda::Plus;

using Cases = std::map<std::string, void (*)(const Device&)>;
Cases right_cases();
Cases wrong_cases();
Cases blas_cases();

inline void print(const char* name, double value) { std::printf("%s %.17g\n", name, value); }

}  // namespace cases
