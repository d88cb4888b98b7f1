// SPDX-License-Identifier: Apache-2.0
// Owned, aligned, overflow-checked memory. Not initialised unless asked: the pool state is
// gigabytes for large pools and is written by the threads that will read it.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <memory>

#include "error.h"

namespace fisher_select {

constexpr size_t kAlignment = 128;  // bytes: one block of 16 doubles

/// Elements of an array of that shape; OutOfMemory where no machine could hold it.
template <class T>
int64_t checked_size(std::initializer_list<int64_t> shape, const char* purpose,
                     const char* remedy) {
    double bytes = sizeof(T);
    for (int64_t extent : shape) bytes *= static_cast<double>(extent);
    // 2^52 bytes is beyond any machine and still exact in a double.
    if (bytes > 4503599627370496.0) throw OutOfMemory(purpose, bytes, remedy);
    int64_t size = 1;
    for (int64_t extent : shape) size *= extent;
    return size;
}

template <class T>
class Buffer {
public:
    Buffer() = default;

    /// `purpose` and `remedy` are the words of the error when memory runs out.
    Buffer(std::initializer_list<int64_t> shape, const char* purpose, const char* remedy) {
        size_ = checked_size<T>(shape, purpose, remedy);
        const size_t wanted = static_cast<size_t>(size_) * sizeof(T);
        const size_t rounded = (wanted / kAlignment + 1) * kAlignment;
        data_.reset(static_cast<T*>(std::aligned_alloc(kAlignment, rounded)));
        if (!data_) throw OutOfMemory(purpose, static_cast<double>(wanted), remedy);
    }

    Buffer& zero() {
        if (size_ > 0)
            std::memset(static_cast<void*>(data_.get()), 0,
                        static_cast<size_t>(size_) * sizeof(T));
        return *this;
    }

    T* data() { return data_.get(); }
    const T* data() const { return data_.get(); }
    T& operator[](int64_t i) { return data_[i]; }
    const T& operator[](int64_t i) const { return data_[i]; }
    int64_t size() const { return size_; }
    bool empty() const { return size_ == 0; }

private:
    struct Free {
        void operator()(T* p) const { std::free(p); }
    };
    std::unique_ptr<T[], Free> data_;
    int64_t size_ = 0;
};

}  // namespace fisher_select
