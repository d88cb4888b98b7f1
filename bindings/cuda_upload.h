// SPDX-License-Identifier: Apache-2.0
// Arrays of the host on a device: uploaded once, whole.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "cuda/memory.h"
#include "view.h"

namespace fisher_select::bindings {

/// Copies the memory that a matrix spans, as it lies, so that its strides hold on the device.
class UploadedMatrix {
public:
    UploadedMatrix(const cuda::Device& device, const MatrixView& host) : view_(host) {
        if (host.data == nullptr) return;
        const int64_t width =
            static_cast<int64_t>(host.dtype == DType::float32 ? sizeof(float) : sizeof(double));
        const int64_t down = (host.rows - 1) * host.row_stride,
                      across = (host.cols - 1) * host.col_stride;
        const int64_t low = std::min<int64_t>(down, 0) + std::min<int64_t>(across, 0);
        const int64_t high = std::max<int64_t>(down, 0) + std::max<int64_t>(across, 0);
        memory_ = cuda::DeviceBuffer<std::byte>(device, {high - low + 1, width},
                                                "a copy of the arrays on the device",
                                                "select from a part of the pool");
        memory_.upload(static_cast<const std::byte*>(host.data) + low * width, memory_.size());
        view_.data = memory_.data() - low * width;
    }

    const MatrixView& view() const { return view_; }

private:
    cuda::DeviceBuffer<std::byte> memory_;
    MatrixView view_;
};

}  // namespace fisher_select::bindings
