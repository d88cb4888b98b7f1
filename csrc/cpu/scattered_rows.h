// SPDX-License-Identifier: Apache-2.0
// Rows of a mapped file that are read here and there, by no sweep that could say when it is
// done with them: a thread lets go of what it came upon first.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "mapped_rows.h"
#include "view.h"

namespace fisher_select::cpu {

class ScatteredRows {
public:
    /// Of a view that does not lie in a mapped file nothing is ever let go.
    ScatteredRows(const VectorsView& v, int threads)
        : begin_(row_address(v, 0)), end_(row_address(v, v.rows)) {
        if (!streams(v, {nullptr, v.rows})) return;
        row_bytes_ = row_address(v, 1) - begin_;
        held_.resize(static_cast<size_t>(threads));
        for (Held& held : held_)
            held.windows.resize(static_cast<size_t>(std::max(4, kWindows / threads)));
    }

    /// This thread, one of parallel_for's, is about to read the row.
    void reads(int64_t row) {
        if (!held_.empty()) hold(begin_ + static_cast<uintptr_t>(row) * row_bytes_);
    }

    /// The same of a vector by its address, which need not be one of the view's.
    void reads(const void* vector) {
        const auto at = reinterpret_cast<uintptr_t>(vector);
        if (!held_.empty() && at >= begin_ && at < end_) hold(at);
    }

private:
    // One read may map all of a large page of the page cache, so that is what is let go. Of all
    // threads together 64 MB are held.
    static constexpr uintptr_t kWindow = uintptr_t{1} << 21;
    static constexpr int kWindows = 32;

    struct alignas(64) Held {            // a cache line apart from the next thread's
        std::vector<uintptr_t> windows;  // by number; 0: none
        size_t next = 0;                 // place of the one that came first
    };

    void hold(uintptr_t row) {
        Held& own = held_[static_cast<size_t>(omp_get_thread_num())];
        for (uintptr_t at = row / kWindow; at <= (row + row_bytes_ - 1) / kWindow; ++at) {
            if (std::find(own.windows.begin(), own.windows.end(), at) != own.windows.end())
                continue;
            uintptr_t& first = own.windows[own.next];
            own.next = (own.next + 1) % own.windows.size();
            if (first > 0)
                let_go_bytes(std::max(begin_, first * kWindow),
                             std::min(end_, (first + 1) * kWindow));
            first = at;
        }
    }

    uintptr_t begin_, end_, row_bytes_ = 0;
    std::vector<Held> held_;  // one a thread
};

}  // namespace fisher_select::cpu
