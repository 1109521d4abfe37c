#include "core/subnet.h"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>

namespace jaild {
namespace {

constexpr int kAttempts = 16;

bool free_of(const Prefix& candidate, const std::vector<Prefix>& used) {
    return std::none_of(used.begin(), used.end(), [&](const Prefix& other) { return candidate.overlaps(other); });
}

}  // namespace

Result<Prefix> choose_ipv4_subnet(const std::vector<Prefix>& used) {
    for (unsigned third = 0; third < 256; ++third) {
        Prefix candidate{.address = {}, .length = 24};
        candidate.address.bytes = {10, 213, static_cast<std::uint8_t>(third), 0};
        if (free_of(candidate, used)) return candidate;
    }
    return std::unexpected(
        Error{.code = Errc::exhausted,
              .op = "choose_subnet",
              .detail = "no free /24 in 10.213.0.0/16: all overlap routes or interfaces of this host",
              .reason = "no_free_subnet",
              .remedy = "remove a route over 10.213.0.0/16"});
}

Result<Prefix> choose_ipv6_subnet(const std::vector<Prefix>& used) {
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        Prefix candidate{.address = {.family = Family::ipv6}, .length = 64};
        auto& bytes = candidate.address.bytes;
        if (getrandom(bytes.data() + 1, 5, 0) != 5) return std::unexpected(Error::from_errno("getrandom", errno));
        bytes[0] = 0xfd;
        if (free_of(candidate, used)) return candidate;
    }
    return std::unexpected(Error{.code = Errc::exhausted,
                                 .op = "choose_subnet",
                                 .detail = "no free ULA /64 found: a route of this host covers fd00::/8",
                                 .reason = "no_free_subnet"});
}

}  // namespace jaild
