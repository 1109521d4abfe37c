#include "core/kernel/freebsd/pure/dhclient_texts.h"

#include <fmt/format.h>

namespace jaild::kernel::freebsd {
namespace {

/// Without an answer it would pause for five minutes after one. What nobody asked for: the size is the network's to
/// say, and who it is, is the spec's. A list of its own in a second statement would stand in place of the first
/// (clparse.c).
std::string configuration(Learns learns, bool takes_names) {
    std::string text =
        "timeout 30;\nretry 5;\nreboot 5;\ninitial-interval 2;\nbackoff-cutoff 10;\n"
        "ignore interface-mtu, host-name";
    if (learns == Learns::addresses) text += ", routers, static-routes, classless-routes";
    if (!takes_names) text += ", domain-name-servers, domain-name, domain-search";
    return text + ";\n";
}

}  // namespace

std::string client_mark(const InstanceId& instance, LinkId id) {
    return fmt::format("JAILD_LINK={}-{}-{}", instance.text(), id.jail.value, id.index);
}

DhcpClient dhcp_client(const InstanceId& instance, const LinkParameters& parameters) {
    return {.interface = parameters.name,
            .mark = client_mark(instance, parameters.id),
            .configuration = configuration(parameters.dhcp, parameters.takes_names)};
}

bool has_mark(std::string_view environment, std::string_view mark) {
    while (!environment.empty()) {
        const auto end = environment.find('\0');
        if (environment.substr(0, end) == mark) return true;
        if (end == std::string_view::npos) return false;
        environment.remove_prefix(end + 1);
    }
    return false;
}

bool is_privileged_client(std::string_view title) {
    while (title.ends_with('\0')) title.remove_suffix(1);
    return title.ends_with(" [priv]");
}

}  // namespace jaild::kernel::freebsd
