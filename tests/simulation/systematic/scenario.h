#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/simulation/scene/scene.h"

namespace jaild::simulation {

/// A fixed history: what is there, and the one thing that is asked for then.
struct Scenario {
    std::string name;
    std::function<void(Scene&)> before;  ///< settled before any fault
    std::function<void(Scene&)> act;
};

const std::vector<Scenario>& scenarios();
const Scenario& scenario(const std::string& name);

/// A thin jail with exec.start, a lasting command, exec.stop and a link.
model::NamedSpec full_jail(const std::string& name = "web");

/// Addresses on an interface of the host, for a spec.
model::InterfaceSpec on_interface(const std::string& interface, const std::vector<std::string>& addresses);
/// A jail with addresses on two interfaces of the host, without limits and firewall.
model::NamedSpec jail_on_aliases(const std::string& name = "web");

/// Everything up to the act: settled, faults cleared.
std::unique_ptr<Scene> prepared(const Scenario& scenario);

/// The jail's id, the first and in scenarios the only one of interest.
inline constexpr JailId kFirst{1};

}  // namespace jaild::simulation
