// SPDX-License-Identifier: Apache-2.0
// x^T A x of a chunk of samples, in precision T, for every block A of Q or of P: what G and H
// are made of where no update leads to them. One an object a thread.
#pragma once

#include <cstdint>

#include "buffer.h"
#include "context.h"
#include "factors.h"
#include "information.h"
#include "pool_kernels.h"
#include "rows.h"

namespace fisher_select::cpu {

/// Blocks of Q and P in precision T, in the order in which they are multiplied: for chunks so
/// small that converting the blocks would cost more than their products.
template <class T>
class PackedBlocks {
public:
    explicit PackedBlocks(const Factors& factors);

    /// Takes Q and P as they stand.
    void pack(const Context& context, const Information& information);

    /// Block `pair` of a group, [length, length] by panels.
    const T* block(bool of_p, int64_t group, int64_t pair) const {
        return (of_p ? p_ : q_).data() + (group * pairs_ + pair) * length_ * length_;
    }

private:
    bool dense_;
    int64_t groups_, pairs_, length_;
    Buffer<T> q_, p_;
};

template <class T>
class QuadraticForms {
public:
    /// Workspace for chunks of `capacity` samples.
    QuadraticForms(const Context& context, const Factors& factors,
                   const PoolKernels<T>& kernels, int64_t capacity);

    /// products() of `rows` <= capacity samples, of which x [slots] has the vectors: for each
    /// pair of classes a >= b x^T A_ab x, or for each pair of slots of a dense factor x_a^T A
    /// x_b. `packed` saves the conversion. About groups d^2 c (c + 1) / 2 multiplications each.
    void compute(const Information& information, bool of_p, const RowChunk<T>* x, int64_t rows,
                 const PackedBlocks<T>* packed = nullptr);

    /// [groups, inner (inner + 1) / 2, stride()], candidates contiguous.
    const T* products() const { return products_.data(); }
    int64_t stride() const { return stride_; }

private:
    void by_class(const Information& information, bool of_p, const RowChunk<T>& x, int64_t rows,
                  const PackedBlocks<T>* packed);
    void by_slot(const SquareMatrix& matrix, bool of_p, const RowChunk<T>* x, int64_t rows,
                 const PackedBlocks<T>* packed);

    const Context& context_;
    const Factors& factors_;
    const PoolKernels<T>& kernels_;
    int64_t stride_;  // padded against cache aliasing
    Buffer<T> products_, panel_, images_, dots_;
};

}  // namespace fisher_select::cpu
