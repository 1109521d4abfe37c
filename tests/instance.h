#pragma once

#include "core/base/ids.h"
#include "tests/results.h"

namespace jaild::test {

/// The instance that tests of names and rules speak of.
inline InstanceId instance() {
    return value_of(InstanceId::parse("k3f9a"));
}

}  // namespace jaild::test
