#pragma once

#include "core/base/error.h"
#include "tests/catch.h"

namespace jaild::test {

/// The value; the test fails with the Error's own words when there is none.
template <class T>
T value_of(Result<T> result) {
    if (!result) FAIL(result.error().to_string());
    if constexpr (!std::is_void_v<T>) return *std::move(result);
}

/// The Error; the test fails when there is none.
template <class T>
Error error_of(Result<T> result) {
    if (result) FAIL("this succeeded, but must not");
    return std::move(result).error();
}

}  // namespace jaild::test
