#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "core/kernel/memory/memory_kernel.h"
#include "tests/results.h"

/// The model of a kernel, with the calls that a reconciler makes.
namespace jaild::kernel_test {

using namespace jaild::kernel;
using test::error_of;
using test::value_of;

inline constexpr JailId kWeb{1};

inline model::Network default_network() {
    return {.id = NetworkId{1},
            .name = value_of(model::Name::parse("default")),
            .ipv4 = value_of(Prefix::parse("10.213.0.0/24")),
            .ipv6 = value_of(Prefix::parse("fd00:213::/64"))};
}

/// A kernel with the calls that a reconciler makes.
struct Machine {
    MemoryKernel kernel{{.instance = value_of(InstanceId::parse("k3f9a")),
                         .state_directory = "/var/db/jaild",
                         .helper_directory = "/"}};
    model::Name name = value_of(model::Name::parse("web"));
    model::RootSpec root{};
    model::NetworkMode mode = model::NetworkMode::vnet;
    model::Limits limits{};
    model::Parameters parameters{};

    RootParameters root_parameters(JailId id = kWeb) const {
        return {.id = id,
                .name = name,
                .root = root,
                .template_name = "host",
                .hostname = "web",
                .addresses = {},
                .nameservers = {},
                .search = {}};
    }
    LinkParameters link(JailId id = kWeb) const {
        return {.id = {id},
                .name = "vnet0",
                .network = NetworkId{1},
                .addresses = {value_of(Prefix::parse("10.213.0.2/24"))},
                .gateways = {value_of(IpAddress::parse("10.213.0.1"))}};
    }
    void prepare(JailId id = kWeb) {
        value_of(kernel.roots().prepare(root_parameters(id)));
        for (const auto& mount : value_of(kernel.roots().mounts(root_parameters(id)))) {
            value_of(kernel.mounts().mount(id, mount));
        }
        value_of(kernel.processes().hold(id));
    }
    Result<void> create(JailId id = kWeb) {
        return kernel.jails().create(
            {.id = id, .name = name, .hostname = "web", .mode = mode, .parameters = parameters, .limits = limits});
    }
    void start() {
        prepare();
        value_of(kernel.links().ensure_bridge(default_network()));
        value_of(create());
        value_of(kernel.links().ensure(link()));
    }
    void stop() {
        value_of(kernel.links().destroy({kWeb}));
        value_of(kernel.jails().remove(kWeb));
        value_of(kernel.processes().release(kWeb));
        auto mounts = value_of(kernel.mounts().list(kWeb));
        std::ranges::reverse(mounts);
        for (const auto& one : mounts) value_of(kernel.mounts().unmount(kWeb, one.target));
    }
    LimitSubject subject(JailId id = kWeb) const { return {.id = id, .name = name}; }
    bool violated(std::string_view text) const {
        const auto all = kernel.violations();
        return std::ranges::any_of(all, [&](const std::string& one) { return one.find(text) != std::string::npos; });
    }
};

}  // namespace jaild::kernel_test
