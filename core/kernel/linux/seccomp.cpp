#include "core/kernel/linux/seccomp.h"

#include <cerrno>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/kernel/linux/seccomp_profile.h"

namespace jaild::kernel {

namespace {

using nlohmann::json;

json oci_condition(const ArgumentMatch& match) {
    switch (match.comparison) {
        case Comparison::equal:
            return {{"index", match.index}, {"value", match.value}, {"op", "SCMP_CMP_EQ"}};
        case Comparison::not_equal:
            return {{"index", match.index}, {"value", match.value}, {"op", "SCMP_CMP_NE"}};
        case Comparison::masked_equal:  // the specification calls the mask `value` and the result `valueTwo`
            break;
    }
    return {{"index", match.index}, {"value", match.mask}, {"valueTwo", match.value}, {"op", "SCMP_CMP_MASKED_EQ"}};
}

}  // namespace

json oci_seccomp() {
#if defined(__x86_64__)
    json architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86"};
#elif defined(__aarch64__)
    json architectures = {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"};
#endif
    json calls = json::array();
    calls.push_back({{"action", "SCMP_ACT_ALLOW"},
                     {"names", std::vector<std::string>(allowed_calls().begin(), allowed_calls().end())}});
    calls.push_back({{"action", "SCMP_ACT_ERRNO"},
                     {"errnoRet", EPERM},
                     {"names", std::vector<std::string>(refused_calls().begin(), refused_calls().end())}});
    for (const ConditionalCall& call : conditional_calls()) {
        json matches = json::array({oci_condition(call.first)});
        if (call.has_second) matches.push_back(oci_condition(call.second));
        calls.push_back(
            {{"action", "SCMP_ACT_ALLOW"}, {"names", json::array({call.name})}, {"args", std::move(matches)}});
    }
    return {{"defaultAction", "SCMP_ACT_ERRNO"},
            {"defaultErrnoRet", ENOSYS},
            {"architectures", std::move(architectures)},
            {"syscalls", std::move(calls)}};
}

}  // namespace jaild::kernel
