#pragma once

#include <cstdint>
#include <span>
#include <string_view>

/// The system calls of a jail, as data. An allow-list: what stands in no list here fails with ENOSYS, so that a program
/// takes its older way. Never more than containers-common's default profile (podman's, seccomp.json) allows without
/// capabilities beyond ours; tests/host/confinement_test.cpp compares the two where that file is installed.
namespace jaild::kernel {

enum class Comparison { equal, not_equal, masked_equal };

struct ArgumentMatch {
    unsigned index = 0;
    Comparison comparison = Comparison::equal;
    std::uint64_t value = 0;
    std::uint64_t mask = 0;  ///< for masked_equal: (argument & mask) == value
};

/// A call that is allowed when all of its (at most two) conditions hold.
struct ConditionalCall {
    std::string_view name;
    ArgumentMatch first;
    bool has_second = false;
    ArgumentMatch second{};
};

/// Allowed with any arguments. Names that an architecture does not have are skipped there.
std::span<const std::string_view> allowed_calls();
/// Allowed with these arguments only; several entries of one name are alternatives.
std::span<const ConditionalCall> conditional_calls();
/// Refused with EPERM, because programs know that answer from unprivileged users and ask no further.
std::span<const std::string_view> refused_calls();

}  // namespace jaild::kernel
