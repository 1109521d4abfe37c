#include "core/kernel/links.h"

namespace jaild::kernel {

std::vector<Family> given_families(const LinkParameters& parameters) {
    std::vector<Family> families;
    if (parameters.dhcp == Learns::nothing) families.push_back(Family::ipv4);
    if (parameters.slaac == Learns::nothing) families.push_back(Family::ipv6);
    return families;
}

}  // namespace jaild::kernel
