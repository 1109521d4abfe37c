#include "core/health/probe.h"

#include <fmt/format.h>

#include <tuple>

namespace jaild::health {

bool Target::operator==(const Target& other) const {
    const auto parts = [](const Target& one) {
        return std::tie(one.id, one.life, one.spec, one.program.argv, one.program.environment, one.program.user,
                        one.program.directory, one.address, one.host);
    };
    return parts(*this) == parts(other);
}

Outcome success() {
    return {.good = true};
}

Outcome failure(std::string message) {
    return {.message = std::move(message)};
}

Outcome too_late(Milliseconds timeout) {
    return {.message = fmt::format("no answer within {} s", timeout.count() / 1000)};
}

Outcome failed_by(const Error& error) {
    return {.message = error.to_string()};
}

}  // namespace jaild::health
