#include "core/model/policy.h"

namespace jaild::model {

std::string_view to_string(Protocol protocol) {
    switch (protocol) {
        case Protocol::udp:
            return "udp";
        case Protocol::icmp:
            return "icmp";
        case Protocol::tcp:
            break;
    }
    return "tcp";
}

std::string_view to_string(Action action) {
    return action == Action::deny ? "deny" : "allow";
}

std::string PortRange::to_string() const {
    if (first == last) return std::to_string(first);
    return std::to_string(first) + "-" + std::to_string(last);
}

std::string Publish::host_side() const {
    std::string text(model::to_string(protocol));
    text += ' ';
    if (host_address) {
        const bool six = host_address->family == Family::ipv6;
        text += (six ? "[" : "") + host_address->to_string() + (six ? "]:" : ":");
    }
    return text + host_port.to_string();
}

bool collide(const Publish& one, const Publish& other) {
    return one.protocol == other.protocol && one.host_port.overlaps(other.host_port) &&
           (!one.host_address || !other.host_address || one.host_address == other.host_address);
}

}  // namespace jaild::model
