// SPDX-License-Identifier: Apache-2.0
// Runs the case that the first argument names; tests/test_emulation.py knows the answers.
#include <exception>

#include "cases.h"

int main(int count, char** arguments) {
    using namespace cases;
    Cases all = right_cases();
    all.merge(wrong_cases());
    all.merge(blas_cases());
    try {
        const Device device(0, nullptr);
        all.at(count == 2 ? arguments[1] : "")(device);
    } catch (const std::exception& error) {
        std::printf("%s\n", error.what());
        return 2;
    }
    return 0;
}
