// SPDX-License-Identifier: Apache-2.0
// A pool in a file that is mapped into memory and may be larger than it: the kernel is told
// which rows come next, so that the disk is never waited for twice, and which are done with, so
// that the process never holds more than a window of them.
#pragma once

#include <algorithm>
#include <cstdint>

#if __has_include(<sys/mman.h>)
#    include <sys/mman.h>
#    include <unistd.h>
#endif

#include "view.h"

namespace fisher_select::cpu {

/// Bytes of a number.
inline int64_t width(DType dtype) {
    return static_cast<int64_t>(dtype == DType::float32 ? sizeof(float) : sizeof(double));
}

/// Whether rows follow one another in a mapped file, so that a range of rows is one of pages.
inline bool streams(const VectorsView& v, const RowList& rows) {
    return v.mapped && rows.all() && v.element_stride == 1 && v.row_stride >= v.length;
}

/// Where a row begins; of row `rows`, where the view ends.
inline uintptr_t row_address(const VectorsView& v, int64_t row) {
    return reinterpret_cast<uintptr_t>(v.data) +
           static_cast<uintptr_t>(row * v.row_stride * width(v.dtype));
}

#if __has_include(<sys/mman.h>)
/// Advice about bytes [begin, end) of a mapping, in whole pages: a page shared with a neighbour
/// that still needs it is read again, which costs little.
inline void advise_bytes(uintptr_t begin, uintptr_t end, int advice) {
    const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
    const uintptr_t first = begin / page * page;
    // Advice, no more: what the kernel does not take is no error.
    (void)madvise(reinterpret_cast<void*>(first), end - first, advice);
}

/// Advice about rows [begin, begin + count), as far as there are any.
inline void advise_rows(const VectorsView& v, int64_t begin, int64_t count, int advice) {
    const int64_t end = std::min(begin + count, v.rows);
    if (begin < end) advise_bytes(row_address(v, begin), row_address(v, end), advice);
}

/// Rows [begin, begin + count) are about to be read, and those behind them soon after.
inline void read_ahead(const VectorsView& v, int64_t begin, int64_t count) {
    constexpr int64_t kWindow = 32;  // so many times `count` rows: several megabytes
    if (begin == 0)
        advise_rows(v, 0, (kWindow + 1) * count, MADV_WILLNEED);
    else
        advise_rows(v, begin + kWindow * count, count, MADV_WILLNEED);
}

/// Rows [begin, begin + count) are not read again in this sweep. They stay in the page cache
/// for as long as nobody else needs the memory.
inline void let_go(const VectorsView& v, int64_t begin, int64_t count) {
    advise_rows(v, begin, count, MADV_DONTNEED);
}
inline void let_go_bytes(uintptr_t begin, uintptr_t end) {
    advise_bytes(begin, end, MADV_DONTNEED);
}
#else
inline void read_ahead(const VectorsView&, int64_t, int64_t) {}
inline void let_go(const VectorsView&, int64_t, int64_t) {}
inline void let_go_bytes(uintptr_t, uintptr_t) {}
#endif

/// Rows [begin, begin + count) of a view while one sweep over all of them is at them.
class SweptRows {
public:
    SweptRows(const VectorsView& v, int64_t begin, int64_t count)
        : v_(v), begin_(begin), count_(streams(v, {nullptr, v.rows}) ? count : 0) {
        if (count_ > 0) read_ahead(v_, begin_, count_);
    }
    ~SweptRows() {
        if (count_ > 0) let_go(v_, begin_, count_);
    }
    SweptRows(const SweptRows&) = delete;
    SweptRows& operator=(const SweptRows&) = delete;

private:
    VectorsView v_;
    int64_t begin_, count_;  // none of a view that is not streamed
};

}  // namespace fisher_select::cpu
