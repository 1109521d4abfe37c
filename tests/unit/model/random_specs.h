#pragma once

#include <algorithm>
#include <random>
#include <string>

#include "core/model/jail_spec.h"

namespace jaild::test {

/// Draws specs that parse_spec must take, from a seed that a failing test names.
class RandomSpecs {
public:
    explicit RandomSpecs(std::uint64_t seed) : random_(seed) {}

    model::JailSpec next() {
        model::JailSpec spec;
        spec.running = coin();
        if (coin()) spec.root = {.kind = model::RootKind::path, .path = "/" + word() + "/" + word()};
        spec.template_name = spec.root.kind == model::RootKind::path ? "" : "t" + word();
        if (coin()) spec.hostname = word() + "." + word();
        spec.network = network();
        if (spec.network.mode == model::NetworkMode::vnet) spec.publish = publish();
        const bool filters = spec.network.mode != model::NetworkMode::inherit;
        if (filters && coin()) spec.firewall.ingress = policy();
        if (filters && coin()) spec.firewall.egress = policy();
        spec.limits = limits();
        for (auto n = below(4); n > 0; --n) spec.mounts.push_back(mount("/m" + std::to_string(n)));
        if (coin()) spec.devices = {"d" + word(), "usb/*"};
        if (coin()) spec.datasets = {"t" + word(), "u/" + word()};
        if (coin()) spec.devfs_ruleset = 1 + static_cast<int>(below(65'535));
        spec.parameters = parameters();
        spec.exec = exec();
        if (coin()) spec.command = argv();
        if (coin()) spec.restart = restart();
        if (coin()) spec.depends_on = {"j" + word(), "k" + word()};
        if (coin()) spec.ephemeral = model::EphemeralSpec{.grace = std::chrono::seconds(1 + below(86'400))};
        if (coin()) spec.cpuset = coin() ? "0" : "0-3,6";
        if (coin()) spec.priority = static_cast<unsigned>(below(100));
        if (coin()) spec.ttl = std::chrono::seconds(1 + below(31'536'000));
        for (auto n = below(4); n > 0; --n) spec.labels["größe/~" + word()] = text();
        return spec;
    }

    model::RestartSpec restart() {
        const auto seconds = [&](std::uint64_t most) { return std::chrono::seconds(1 + below(most)); };
        const auto delay = seconds(60);
        return {.policy = coin() ? model::RestartPolicy::always : model::RestartPolicy::on_failure,
                .delay = delay,
                .max_delay = delay + seconds(60),
                .reset_after = seconds(86'400),
                .max_retries = static_cast<unsigned>(below(1'001)),
                .window = seconds(86'400)};
    }

    std::uint64_t below(std::uint64_t bound) {
        return std::uniform_int_distribution<std::uint64_t>(0, bound - 1)(random_);
    }
    bool coin() { return below(2) == 1; }

private:
    model::MountSpec mount(std::string target) {
        model::MountSpec mount{.target = std::move(target), .read_only = coin(), .no_exec = coin(), .no_suid = coin()};
        if (coin()) {
            mount.source = "/" + word();
            mount.create = coin();
        } else {
            mount.type = model::MountType::tmpfs;
            if (coin()) mount.size = {4096 + below(1 << 30)};
        }
        return mount;
    }

    model::NetworkSpec network() {
        model::NetworkSpec network;
        if (coin()) {
            network.mode = coin() ? model::NetworkMode::inherit : model::NetworkMode::none;
            network.interfaces.clear();
        } else {
            network.interfaces[0].network = "n" + word();
            if (coin()) network.interfaces[0].addresses.push_back(Prefix{address(Family::ipv6), unsigned(below(129))});
            if (coin()) network.interfaces[0].addresses.push_back(Prefix{address(Family::ipv4), unsigned(below(33))});
        }
        for (auto n = below(4); n > 0; --n)
            network.nameservers.push_back(address(coin() ? Family::ipv4 : Family::ipv6));
        for (auto n = below(3); n > 0; --n) network.search.push_back(word());
        return network;
    }

    model::PortRange ports() {
        const auto first = static_cast<std::uint16_t>(1 + below(60'000));
        return {.first = first, .last = static_cast<std::uint16_t>(first + below(2) * below(200))};
    }

    std::vector<model::Publish> publish() {
        std::vector<model::Publish> all;
        for (auto n = below(4); n > 0; --n) {
            model::Publish one{.host_port = ports(), .jail_port = {}};
            one.jail_port = one.host_port;
            if (coin()) {
                one.jail_port.first = static_cast<std::uint16_t>(one.host_port.first + 1);
                one.jail_port.last = static_cast<std::uint16_t>(one.host_port.last + 1);
            }
            if (coin()) one.protocol = model::Protocol::udp;
            if (coin()) one.host_address = address(coin() ? Family::ipv4 : Family::ipv6);
            const bool taken = std::ranges::any_of(all, [&](const auto& other) { return collide(one, other); });
            if (!taken) all.push_back(one);
        }
        return all;
    }

    model::Peer peer() {
        switch (below(5)) {
            case 0:
                return model::PeerJail{"j" + word()};
            case 1:
                return model::PeerLabel{.key = "k/" + word()};
            case 2:
                return model::PeerLabel{.key = "k/" + word(), .value = "=" + text()};
            case 3:
                return model::PeerNetwork{"n" + word()};
            default:
                return coin() ? Prefix{address(Family::ipv4), unsigned(below(33))}.network()
                              : Prefix{address(Family::ipv6), unsigned(below(129))}.network();
        }
    }

    model::Policy policy() {
        model::Policy policy{.fallback = coin() ? model::Action::allow : model::Action::deny};
        for (auto n = below(4); n > 0; --n) {
            model::PolicyRule rule{.action = coin() ? model::Action::allow : model::Action::deny};
            if (coin()) rule.peer = peer();
            if (coin()) rule.protocol = static_cast<model::Protocol>(below(3));
            if (rule.protocol != model::Protocol::icmp)
                for (auto m = below(3); m > 0; --m) rule.ports.push_back(ports());
            policy.rules.push_back(std::move(rule));
        }
        return policy;
    }

    model::Limits limits() {
        model::Limits limits;
        if (coin())
            limits["memoryuse"] = {.amount = 1 + static_cast<std::int64_t>(below(1ULL << 62)), .action = "deny"};
        if (coin()) limits["cputime"] = {.amount = 1 + static_cast<std::int64_t>(below(1000)), .action = "sigxcpu"};
        if (coin()) limits["nsem"] = {.amount = static_cast<std::int64_t>(below(9)), .action = "devctl", .per = "user"};
        return limits;
    }

    model::Parameters parameters() {
        model::Parameters parameters;
        if (coin()) parameters["allow.p_" + word()] = coin();
        if (coin()) parameters["level." + word()] = static_cast<std::int64_t>(below(9)) - 4;
        if (coin()) parameters["id." + word()] = (1ULL << 63) + below(1ULL << 62);
        if (coin()) parameters["text." + word()] = text();
        if (coin()) parameters["addr." + word()] = std::vector(below(3), address(coin() ? Family::ipv4 : Family::ipv6));
        return parameters;
    }

    model::ExecSpec exec() {
        model::ExecSpec exec;
        if (coin()) exec.start = argv();
        if (coin()) exec.stop = argv();
        exec.timeout = std::chrono::seconds(1 + below(86'400));
        if (coin()) exec.user = word();
        if (coin()) exec.directory = "/" + word();
        for (auto n = below(5); n > 0; --n) exec.env["E_" + word()] = {.value = text(), .secret = coin()};
        return exec;
    }

    std::vector<std::string> argv() {
        std::vector<std::string> argv{word()};
        for (auto n = below(5); n > 0; --n) argv.push_back(text());
        return argv;
    }

    IpAddress address(Family family) {
        IpAddress address{.family = family};
        for (std::size_t i = 0; i < (family == Family::ipv4 ? 4 : 16); ++i)
            address.bytes[i] = static_cast<std::uint8_t>(below(256));
        return address;
    }

    std::string word() {
        std::string word;
        for (auto n = 1 + below(6); n > 0; --n) word += static_cast<char>('a' + below(26));
        return word;
    }

    /// Anything but control characters, the empty text included.
    std::string text() {
        static const char* const pieces[] = {"",  " ", "\"", "\\",    "/", "~1", "null",
                                             "€", "𝄞", "x",  "$(id)", "'", "{}", "0"};
        std::string text;
        for (auto n = below(6); n > 0; --n) text += pieces[below(std::size(pieces))];
        return text;
    }

    std::mt19937_64 random_;
};

}  // namespace jaild::test
