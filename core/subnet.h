#pragma once

#include <vector>

#include "core/base/error.h"
#include "core/base/ip.h"

namespace jaild {

/// The first /24 of 10.213.0.0/16 that overlaps none of `used`. Errc::exhausted "no_free_subnet". Pure.
Result<Prefix> choose_ipv4_subnet(const std::vector<Prefix>& used);

/// A /64 of a random ULA prefix (RFC 4193 §3.2), from getrandom(2), that overlaps none of `used`.
Result<Prefix> choose_ipv6_subnet(const std::vector<Prefix>& used);

}  // namespace jaild
