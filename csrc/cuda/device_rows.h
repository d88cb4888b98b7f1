// SPDX-License-Identifier: Apache-2.0
// A list of the pool's rows on a device.
#pragma once

#include <cstdint>

#include "device.h"
#include "memory.h"
#include "view.h"

namespace fisher_select::cuda {

/// A host's list, uploaded; one without an index, the first `count` rows in order, needs none.
class DeviceRows {
public:
    DeviceRows(const Device& device, const RowList& rows) : count_(rows.count) {
        if (rows.index == nullptr || rows.count == 0) return;
        index_ = DeviceBuffer<int64_t>(device, {rows.count}, "a list of rows",
                                       "name fewer rows as labelled");
        index_.upload(rows.index, rows.count);
    }
    int64_t count() const { return count_; }
    RowList view() const { return {index_.data(), count_}; }

private:
    DeviceBuffer<int64_t> index_;
    int64_t count_;
};

}  // namespace fisher_select::cuda
