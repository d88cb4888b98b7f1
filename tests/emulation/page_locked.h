// SPDX-License-Identifier: Apache-2.0
// Memory of the host that the device may read and write as well.
#pragma once

namespace emulation {

bool is_page_locked(const void* address);

}  // namespace emulation
