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

/// Whether rows follow one another in a mapped file, so that a range of rows is one of pages.
inline bool streams(const VectorsView& v, const RowList& rows) {
    return v.mapped && rows.all() && v.element_stride == 1 && v.row_stride >= v.length;
}

#if __has_include(<sys/mman.h>)
/// Advice about rows [begin, begin + count), as far as there are any, in whole pages: a page
/// shared with a neighbour that still needs it is read again, which costs little.
inline void advise_rows(const VectorsView& v, int64_t begin, int64_t count, int advice) {
    const int64_t end = std::min(begin + count, v.rows);
    if (begin >= end) return;
    const auto width = static_cast<uintptr_t>(v.dtype == DType::float32 ? 4 : 8);
    const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
    const auto at = [&](int64_t row) {
        return reinterpret_cast<uintptr_t>(v.data) +
               static_cast<uintptr_t>(row * v.row_stride) * width;
    };
    const uintptr_t first = at(begin) / page * page;
    // Advice, no more: what the kernel does not take is no error.
    (void)madvise(reinterpret_cast<void*>(first), at(end) - first, advice);
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
#else
inline void read_ahead(const VectorsView&, int64_t, int64_t) {}
inline void let_go(const VectorsView&, int64_t, int64_t) {}
#endif

}  // namespace fisher_select::cpu
