#include "core/kernel/network_fields.h"

namespace jaild::kernel {
namespace {

auto not_yet(const char* field, const char* detail, const char* remedy) {
    return std::unexpected(Error{.code = Errc::unsupported,
                                 .op = "check_network",
                                 .detail = detail,
                                 .reason = "unsupported_network_field",
                                 .field = field,
                                 .remedy = remedy});
}

}  // namespace

Result<void> check_network_fields(const model::Network& network) {
    if (!network.bridge.empty())
        return not_yet("/bridge", "this jaild puts jails on bridges of its own only", "leave bridge out");
    if (!network.uplink.empty())
        return not_yet("/uplink", "this jaild adds no interface of the host's to a bridge yet", "leave uplink out");
    return {};
}

Error interface_not_found(const std::string& name, const char* field) {
    auto error = Error::invalid("interface_not_found", field, "this host has no interface " + name);
    error.remedy = "name one that it has, or make it first";
    return error;
}

}  // namespace jaild::kernel
