// SPDX-License-Identifier: Apache-2.0
// The error that cudaGetLastError() tells.
#pragma once

#include "runtime_api.h"

namespace emulation {

/// Keeps an error, and returns it. "Not ready" is no error.
cudaError_t remember(cudaError_t error);

}  // namespace emulation
