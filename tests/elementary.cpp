// SPDX-License-Identifier: Apache-2.0
// The functions of csrc/elementary.h on arrays, for test_elementary.py, which compiles this.
#include "elementary.h"

using namespace fisher_select;

template <class T>
void apply(int function, const T* x, long count, T* out) {
    for (long i = 0; i < count; ++i) {
        if (function == 0) out[i] = expm1_small(x[i]);
        if (function == 1) out[i] = exp_nonpositive(x[i]);
        if (function == 2) out[i] = log_positive(x[i]);
    }
}

extern "C" {
void apply_float(int function, const float* x, long count, float* out) {
    apply(function, x, count, out);
}
void apply_double(int function, const double* x, long count, double* out) {
    apply(function, x, count, out);
}
}
