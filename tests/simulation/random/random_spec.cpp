#include "tests/simulation/random/random_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace jaild::simulation {
namespace {

using kernel::memory::Dice;
using Arguments = std::vector<std::string>;

const std::vector<Arguments>& commands() {
    static const std::vector<Arguments> all{
        {},         {}, {"sleep", "1000"}, {"sleep", "1000"}, {"/usr/sbin/httpd", "-f"}, {"exit", "0"}, {"exit", "3"},
        {"missing"}};
    return all;
}

const std::vector<Arguments>& starts() {
    static const std::vector<Arguments> all{{}, {}, {}, {}, {"echo", "up"}, {"echo", "up"}, {"true"}, {"exit", "1"}};
    return all;
}

const std::vector<Arguments>& stops() {
    static const std::vector<Arguments> all{{},         {}, {}, {"echo", "down"}, {"exit", "1"}, {"sleep", "1000"},
                                            {"missing"}};
    return all;
}

/// They keep no jail from being stopped.
void draw_ends(Dice& dice, model::Hooks& hooks) {
    static const std::vector<Arguments> all{
        {"echo", "end"}, {"echo", "end"}, {"exit", "1"}, {"sleep", "1000"}, {"missing"}};
    for (const auto hook : {model::Hook::prestop, model::Hook::poststop}) hooks[hook] = dice.pick(all);
}

/// All or none: a kernel that knows no spec can tell then that none is missing. The later ones may fail.
model::Hooks random_hooks(Dice& dice) {
    model::Hooks hooks;
    if (dice.chance(0.6)) return hooks;
    for (const auto hook : {model::Hook::prestart, model::Hook::created, model::Hook::poststart})
        hooks[hook] = dice.chance(0.03) ? Arguments{"exit", "1"} : Arguments{"echo", std::string(to_string(hook))};
    draw_ends(dice, hooks);
    return hooks;
}

/// One whose command cannot be executed gets as far as its poststart each second time only: that succeeds.
void come_to_rest(model::JailSpec& spec) {
    const auto last = spec.exec.hooks.find(model::Hook::poststart);
    if (last != spec.exec.hooks.end() && !spec.command.empty() && spec.command.front() == "missing")
        last->second = {"echo", "poststart"};
}

std::string random_hostname(Dice& dice) {
    return dice.chance(0.5) ? std::string() : fmt::format("host{}.example.org", dice.below(4));
}

/// A few addresses on two interfaces of the host: most rows are refused for what another has.
model::NetworkSpec random_aliases(Dice& dice) {
    model::NetworkSpec network{.mode = model::NetworkMode::alias, .interfaces = {}, .nameservers = {}, .search = {}};
    std::set<std::string> drawn;
    for (const auto* interface : {"em0", "lo1"}) {
        model::InterfaceSpec one{.network = {}, .interface = interface, .addresses = {}, .mac = {}, .name = {}};
        for (auto count = dice.below(3); count > 0; --count) {
            const auto number = dice.between(10, 13);
            const auto text = dice.chance(0.5) ? fmt::format("192.0.2.{}/{}", number, dice.chance(0.9) ? 32 : 24)
                                               : fmt::format("2001:db8::{}/128", number);
            if (drawn.insert(text.substr(0, text.find('/'))).second) one.addresses.push_back(*Prefix::parse(text));
        }
        if (!one.addresses.empty()) network.interfaces.push_back(std::move(one));
    }
    return network.interfaces.empty() ? model::NetworkSpec{} : network;
}

bool has_own_stack(const model::NetworkSpec& network) {
    return network.mode == model::NetworkMode::vnet || network.mode == model::NetworkMode::none;
}

/// Each other one is on a network that may not be there: then the row is refused.
const std::string& network_name(Dice& dice) {
    static const std::vector<std::string> names{"default", "default", "default", "lab", "lab", "dmz"};
    return dice.pick(names);
}

model::NetworkSpec random_interfaces(Dice& dice) {
    model::NetworkSpec network;
    if (dice.chance(0.15)) return random_aliases(dice);
    if (dice.chance(0.3)) {
        network.mode = dice.chance(0.5) ? model::NetworkMode::inherit : model::NetworkMode::none;
        network.interfaces.clear();
        return network;
    }
    while (network.interfaces.size() < 3 && dice.chance(0.25)) network.interfaces.emplace_back();
    for (auto& interface : network.interfaces) {
        interface.network = network_name(dice);
        if (dice.chance(0.2)) interface.mac = fmt::format("06:00:00:00:00:0{}", dice.below(4));
        if (dice.chance(0.2)) interface.mtu = 1280;
        if (dice.chance(0.2) && network.interfaces.size() == 1) interface.name = "lan0";
    }
    if (dice.chance(0.15)) network.interfaces[dice.below(network.interfaces.size())].slaac = true;
    if (dice.chance(0.15)) network.interfaces[dice.below(network.interfaces.size())].dhcp = true;
    // Static ones collide with each other and with assigned ones: then the row is refused.
    auto& fixed = network.interfaces[dice.below(network.interfaces.size())];
    if (dice.chance(0.3) && !fixed.dhcp) {
        fixed.addresses.push_back(*Prefix::parse(fmt::format("10.213.0.{}/28", dice.between(2, 14))));
    }
    if (dice.chance(0.2)) network.nameservers.push_back(*IpAddress::parse("192.0.2.53"));
    return network;
}

/// Its addresses are nobody's to know: such a spec has neither ports nor policies.
bool learns(const model::NetworkSpec& network) {
    return std::ranges::any_of(network.interfaces, &model::InterfaceSpec::learns_any);
}

std::vector<model::Publish> random_publish(Dice& dice, const model::NetworkSpec& network) {
    if (network.mode != model::NetworkMode::vnet || learns(network) || dice.chance(0.6)) return {};
    const auto port = static_cast<std::uint16_t>(8000 + dice.below(100));
    return {{.host_port = {port, port}, .jail_port = {80, 80}}};
}

model::Policy random_policy(Dice& dice) {
    static const std::vector<model::Peer> peers{model::PeerJail{"web"},        model::PeerJail{"db"},
                                                model::PeerLabel{"tier", "1"}, model::PeerLabel{.key = "tier"},
                                                model::PeerNetwork{"default"}, model::PeerNetwork{"lab"}};
    model::Policy policy;
    for (auto count = dice.below(3); count > 0; --count) policy.rules.push_back({.peer = dice.pick(peers)});
    return policy;
}

model::FirewallSpec random_firewall(Dice& dice, const model::NetworkSpec& network) {
    model::FirewallSpec firewall;
    if (learns(network)) return firewall;
    if (dice.chance(0.3)) firewall.ingress = random_policy(dice);
    if (dice.chance(0.2)) firewall.egress = random_policy(dice);
    return firewall;
}

model::Limits random_limits(Dice& dice) {
    model::Limits limits;
    if (dice.chance(0.4)) limits["memoryuse"] = {.amount = dice.between(1, 3) << 20, .action = "deny"};
    if (dice.chance(0.3)) {
        limits["maxproc"] = {.amount = dice.between(8, 9),
                             .action = dice.chance(0.5) ? "deny" : "log",
                             .per = dice.chance(0.5) ? "jail" : "process"};
    }
    return limits;
}

/// Each target always has the same, so that none waits for a restart.
std::vector<model::MountSpec> random_mounts(Dice& dice) {
    std::vector<model::MountSpec> mounts;
    if (dice.chance(0.6)) return mounts;
    if (dice.chance(0.5)) mounts.push_back({.source = "/srv/deep", .target = "/data/deep"});
    if (dice.chance(0.5)) mounts.push_back({.source = "/srv/data", .target = "/data", .read_only = true});
    if (dice.chance(0.5)) mounts.push_back({.type = model::MountType::tmpfs, .target = "/cache"});
    return mounts;
}

model::Parameters random_parameters(Dice& dice) {
    model::Parameters parameters;
    if (dice.chance(0.3)) parameters["allow.raw_sockets"] = dice.chance(0.5);
    if (dice.chance(0.2)) parameters[dice.chance(0.5) ? "allow.mount" : "allow.nomount"] = dice.between(0, 1);
    if (dice.chance(0.2)) parameters["securelevel"] = dice.between(-1, 2);
    if (dice.chance(0.1)) parameters["osrelease"] = fmt::format("14.{}-RELEASE", dice.below(2));
    return parameters;
}

/// Few and quick, so that a command that always ends comes to rest.
model::RestartSpec random_restart(Dice& dice) {
    if (dice.chance(0.5)) return {};
    return {.policy = dice.chance(0.5) ? model::RestartPolicy::always : model::RestartPolicy::on_failure,
            .max_delay = Milliseconds{2'000},
            .max_retries = static_cast<unsigned>(dice.between(1, 3)),
            .window = std::chrono::seconds{86'400}};
}

/// Each is over soon, for a round takes five seconds.
void draw_lifetime(Dice& dice, model::JailSpec& spec) {
    spec.ephemeral.reset();
    spec.ttl = Milliseconds{0};
    if (dice.chance(0.15)) spec.ephemeral = model::EphemeralSpec{.grace = std::chrono::seconds(dice.between(1, 40))};
    if (dice.chance(0.15)) spec.ttl = std::chrono::seconds(dice.between(10, 200));
}

std::optional<model::HealthSpec> random_health(Dice& dice) {
    if (dice.chance(0.6)) return std::nullopt;
    return model::HealthSpec{.port = 80,
                             .retries = static_cast<unsigned>(dice.between(1, 3)),
                             .start_period = Milliseconds{0},
                             .restart = dice.chance(0.7)};
}

/// Most rows are refused for what another has.
std::vector<std::string> random_datasets(Dice& dice) {
    static const std::vector<std::vector<std::string>> all{
        {}, {}, {}, {"tank/a"}, {"tank/a/deep"}, {"tank/b"}, {"tank/b", "tank/c"}, {"tank"}};
    return dice.pick(all);
}

/// Most circles are refused; so is oneself.
model::Dependency random_need(Dice& dice, const std::string& self) {
    static const std::vector<std::string> names{"web", "db", "Mail2", "build", "cache"};
    const auto& other = dice.pick(names);
    model::Dependency need(other == self ? "nobody" : other);
    if (dice.chance(0.5)) need.condition = model::DependencyCondition::healthy;
    if (dice.chance(0.5)) need.on_death = model::OnDeath::restart;
    return need;
}

}  // namespace

model::JailSpec random_spec(Dice& dice, const model::Name& name) {
    model::JailSpec spec;
    spec.running = dice.chance(0.85);
    if (dice.chance(0.3)) {
        spec.template_name.clear();
        spec.root = {.kind = model::RootKind::path, .path = "/srv/" + name.text()};
    } else if (dice.chance(0.4)) {
        spec.template_name = "base:1";
        spec.root.kind = dice.chance(0.5) ? model::RootKind::thin : model::RootKind::copy;
    }
    spec.hostname = random_hostname(dice);
    spec.network = random_interfaces(dice);
    spec.publish = random_publish(dice, spec.network);
    if (has_own_stack(spec.network)) spec.firewall = random_firewall(dice, spec.network);
    spec.limits = random_limits(dice);
    if (dice.chance(0.2)) spec.cpuset = "0-1";
    spec.mounts = random_mounts(dice);
    spec.parameters = random_parameters(dice);
    if (dice.chance(0.1)) spec.devfs_ruleset = 10;
    spec.datasets = random_datasets(dice);
    if (spec.devfs_ruleset) spec.devices = {"fuse", "tun*"};
    spec.exec.start = dice.pick(starts());
    spec.exec.stop = dice.pick(stops());
    spec.exec.hooks = random_hooks(dice);
    spec.command = dice.pick(commands());
    spec.restart = random_restart(dice);
    spec.health = random_health(dice);
    if (dice.chance(0.3)) spec.depends_on = {random_need(dice, name.text())};
    draw_lifetime(dice, spec);
    come_to_rest(spec);
    return spec;
}

model::JailSpec changed(Dice& dice, model::JailSpec spec) {
    for (auto count = dice.between(1, 2); count > 0; --count) {
        switch (dice.below(17)) {
            case 0:
            case 1:
                spec.running = !spec.running;
                break;
            case 2:
                spec.hostname = random_hostname(dice);
                break;
            case 3:
                spec.labels["tier"] = fmt::format("{}", dice.below(3));
                break;
            case 4:
                spec.network = random_interfaces(dice);
                spec.publish = random_publish(dice, spec.network);
                if (learns(spec.network)) spec.firewall = {};
                break;
            case 13:
                spec.datasets = random_datasets(dice);
                break;
            case 11:
                spec.mounts = random_mounts(dice);
                break;
            case 9:
                spec.publish = random_publish(dice, spec.network);
                break;
            case 10:
                spec.firewall = random_firewall(dice, spec.network);
                break;
            case 5:
                spec.command = dice.pick(commands());
                break;
            case 6:
                spec.exec.start = dice.pick(starts());
                break;
            case 7:
                spec.limits = random_limits(dice);
                spec.cpuset = dice.chance(0.5) ? "" : "1-2";
                break;
            case 14:
                spec.depends_on.clear();
                if (dice.chance(0.6)) spec.depends_on.push_back(random_need(dice, {}));
                break;
            case 15:
                draw_lifetime(dice, spec);
                break;
            case 12:
                if (dice.chance(0.5)) spec.health = random_health(dice);
                spec.restart = random_restart(dice);
                break;
            case 8:
                spec.parameters = random_parameters(dice);
                break;
            default:
                spec.exec.stop = dice.pick(stops());
                if (!spec.exec.hooks.empty()) draw_ends(dice, spec.exec.hooks);
                spec.devices = spec.devices.empty() ? std::vector<std::string>{"bpf"} : std::vector<std::string>{};
                break;
        }
    }
    if (!has_own_stack(spec.network)) spec.firewall = {};
    come_to_rest(spec);
    return spec;
}

model::Network random_network(Dice& dice) {
    const auto number = dice.below(3);
    model::Network network{.name = *model::Name::parse(dice.chance(0.6) ? "lab" : "dmz"),
                           .ipv4 = *Prefix::parse(fmt::format("10.214.{}.0/28", number)),
                           .ipv6 = *Prefix::parse(fmt::format("fd00:214:{}::/64", number))};
    if (dice.chance(0.2)) (dice.chance(0.5) ? network.ipv4 : network.ipv6).reset();
    network.isolated = dice.chance(0.3);
    network.nat.on = dice.chance(0.7);
    if (dice.chance(0.3)) network.mtu = 1400;
    return network;
}

model::Network changed(Dice& dice, model::Network network) {
    auto other = random_network(dice);
    switch (dice.below(5)) {
        case 0:
            network.isolated = !network.isolated;
            break;
        case 1:
            network.mtu = network.mtu == 1500 ? 1400 : 1500;
            break;
        case 2:
            network.nat.on = !network.nat.on;
            break;
        case 3:
            network.ipv4 = network.ipv4 && network.ipv6 ? std::nullopt : std::move(other.ipv4);
            if (!network.ipv4 && !network.ipv6) network.isolated = !network.isolated;
            break;
        default:
            network.ipv6 = network.ipv6 && network.ipv4 ? std::nullopt : std::move(other.ipv6);
            break;
    }
    return network;
}

}  // namespace jaild::simulation
