#include "cli/create_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/context.h"
#include "cli/input.h"
#include "cli/spec/values.h"
#include "core/base/files.h"

namespace jaild::cli {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxSpecFile = 1 << 20;

/// What an option adds to must be an object, or null for the default.
bool is_object_or_absent(const json& spec, const char* pointer) {
    const json::json_pointer place(pointer);
    if (place.empty()) return spec.is_object();
    return !spec.contains(place) || spec.at(place).is_object() || spec.at(place).is_null();
}

/// Options that `read` takes apart, as an object. Nothing: one is not of that form.
std::optional<json> fields(const std::vector<std::string>& texts, std::optional<Field> (*read)(std::string_view),
                           const char* option, const char* form) {
    json object = json::object();
    for (const auto& text : texts) {
        auto field = read(text);
        if (!field) {
            fmt::print(stderr, "jaildctl: {} \"{}\" is not {}\n", option, text, form);
            return std::nullopt;
        }
        object[field->first] = std::move(field->second);
    }
    return object;
}

std::optional<json> read_spec(const std::string& file) {
    if (file.empty()) return json::object();
    auto text = file == "-" ? read_standard_input(kMaxSpecFile) : files::read(file, kMaxSpecFile);
    if (!text) {
        report(text.error());
        return std::nullopt;
    }
    json spec;
    try {
        spec = json::parse(*text);
    } catch (const json::parse_error& error) {
        const auto before = std::string_view(*text).substr(0, error.byte > 0 ? error.byte - 1 : 0);
        const auto line = std::count(before.begin(), before.end(), '\n') + 1;
        const auto column = before.size() - (before.rfind('\n') + 1) + 1;  // npos + 1 is 0
        fmt::print(stderr, "jaildctl: {} is no JSON: line {}, column {}\n", file, line, column);
        return std::nullopt;
    }
    for (const auto* pointer : {"", "/labels", "/network", "/limits", "/parameters", "/exec", "/exec/env"})
        if (!is_object_or_absent(spec, pointer)) {
            fmt::print(stderr, "jaildctl: {}: must be an object\n", file);
            if (*pointer != '\0') fmt::print(stderr, "  field:  {}\n", pointer);
            return std::nullopt;
        }
    return spec;
}

json root_of(const std::string& text) {
    constexpr std::string_view path = "path=";
    if (text.starts_with(path)) return {{"kind", "path"}, {"path", text.substr(path.size())}};
    return {{"kind", text}};
}

/// False, and said, when the file's root is something else than an object.
bool set_root(json& spec, const CreateOptions& options) {
    if (!options.root.empty()) spec["root"] = root_of(options.root);
    for (const auto& [field, value] :
         {std::pair("quota", &options.quota), std::pair("reservation", &options.reservation),
          std::pair("compression", &options.compression)}) {
        if (value->empty()) continue;
        auto& root = spec["root"];
        if (!root.is_null() && !root.is_object()) {
            fmt::print(stderr, "jaildctl: the file's \"root\" is no object: --{} cannot be added to it\n", field);
            return false;
        }
        root[field] = *value;
    }
    return true;
}

bool is_network_mode(const std::string& text) {
    return text == "none" || text == "inherit" || text == "alias";
}

/// One interface for each --network, with the addresses that name it. Nothing, and said, when they do not fit.
std::optional<json> interfaces_of(const CreateOptions& options) {
    json interfaces = json::array();
    for (const auto& network : options.networks) interfaces.push_back({{"network", network}});
    for (const auto& text : options.addresses) {
        const auto equals = text.find('=');
        const auto network = text.substr(0, equals == std::string::npos ? 0 : equals);
        const auto named = [&](const json& one) { return one.at("network") == network; };
        const auto found = std::ranges::find_if(interfaces, named);
        if (found == interfaces.end()) {
            fmt::print(stderr, "jaildctl: with several networks, --address is NETWORK=IP/LEN: \"{}\"\n", text);
            return std::nullopt;
        }
        (*found)["addresses"].push_back(text.substr(equals + 1));
    }
    return interfaces;
}

/// Addresses on interfaces of the host, grouped by them. Nothing, and said, when one does not say where.
std::optional<json> aliases_of(const std::vector<std::string>& addresses) {
    json interfaces = json::array();
    for (const auto& text : addresses) {
        const auto equals = text.find('=');
        if (equals == std::string::npos) {
            fmt::print(stderr, "jaildctl: with --network alias, --address is INTERFACE=IP[/LEN]: \"{}\"\n", text);
            return std::nullopt;
        }
        const auto interface = text.substr(0, equals);
        const auto named = [&](const json& one) { return one.at("interface") == interface; };
        auto found = std::ranges::find_if(interfaces, named);
        if (found == interfaces.end()) {
            interfaces.push_back({{"interface", interface}, {"addresses", json::array()}});
            found = std::prev(interfaces.end());
        }
        (*found)["addresses"].push_back(text.substr(equals + 1));
    }
    return interfaces;
}

/// Sets mode and interfaces in the file's network; what else it says stays. False, and said, for options that
/// contradict each other.
bool set_network(json& network, const CreateOptions& options) {
    if (options.networks.empty() && options.addresses.empty()) return true;
    const auto mode = std::ranges::find_if(options.networks, is_network_mode);
    const bool aliases = mode != options.networks.end() && *mode == "alias";
    if (mode != options.networks.end() && (options.networks.size() > 1 || (!options.addresses.empty() && !aliases))) {
        fmt::print(stderr, "jaildctl: with --network {} a jail has no interface that could have {}\n", *mode,
                   options.networks.size() > 1 ? "another --network" : "an --address");
        return false;
    }
    if (mode != options.networks.end()) {
        network["mode"] = *mode;
        if (aliases && options.addresses.empty()) return true;  // the file says which
        network.erase("interfaces");
        if (!aliases) return true;
        auto interfaces = aliases_of(options.addresses);
        if (interfaces) network["interfaces"] = *std::move(interfaces);
        return interfaces.has_value();
    }
    network["mode"] = "vnet";
    if (options.networks.size() > 1) {
        auto interfaces = interfaces_of(options);
        if (!interfaces) return false;
        network["interfaces"] = *std::move(interfaces);
        return true;
    }
    json interface = json::object();
    // An address alone changes the one interface that the file describes.
    if (const auto known = network.find("interfaces");
        known != network.end() && known->is_array() && known->size() == 1 && known->front().is_object())
        interface = known->front();
    if (!options.networks.empty()) interface["network"] = options.networks.front();
    if (!options.addresses.empty()) interface["addresses"] = options.addresses;
    network["interfaces"] = json::array({std::move(interface)});
    return true;
}

/// Adds to the ports that the file publishes. False, and said, for what is no port.
bool add_publish(json& spec, const std::vector<std::string>& texts) {
    for (const auto& text : texts) {
        auto entry = publish_entry(text);
        if (!entry) {
            fmt::print(stderr, "jaildctl: --publish \"{}\" is not [ADDRESS:]HOST[:JAIL][/udp]\n", text);
            return false;
        }
        auto& all = spec["publish"];
        if (!all.is_array()) all = json::array();
        all.push_back(*std::move(entry));
    }
    return true;
}

bool add_mounts(json& spec, const std::vector<std::string>& texts) {
    for (const auto& text : texts) {
        auto entry = mount_entry(text);
        if (!entry) {
            fmt::print(stderr, "jaildctl: --mount \"{}\" is not SOURCE:TARGET[:OPTIONS] or TYPE:TARGET[:OPTIONS]\n",
                       text);
            return false;
        }
        auto& all = spec["mounts"];
        if (!all.is_array()) all = json::array();
        all.push_back(*std::move(entry));
    }
    return true;
}

bool set_ttl(json& spec, const std::string& text) {
    if (text.empty()) return true;
    const auto seconds = seconds_of(text);
    if (!seconds) {
        fmt::print(stderr, "jaildctl: --ttl \"{}\" is no time: 90, 10m, 2h, 1d; at most a year\n", text);
        return false;
    }
    spec["ttl"] = *seconds;
    return true;
}

bool set_dependencies(json& spec, const std::vector<std::string>& texts) {
    json all = json::array();
    for (const auto& text : texts) {
        auto entry = dependency_entry(text);
        if (!entry) {
            fmt::print(stderr, "jaildctl: --depends-on \"{}\" is not NAME[:CONDITION[:ON_DEATH]]\n", text);
            return false;
        }
        all.push_back(*std::move(entry));
    }
    if (!all.empty()) spec["depends_on"] = std::move(all);
    return true;
}

/// What a file says of its waits is kept.
bool set_restart(json& spec, const std::string& text) {
    if (text.empty()) return true;
    auto value = restart_value(text);
    if (!value) {
        fmt::print(stderr, "jaildctl: --restart \"{}\" is not POLICY[:RETRIES]\n", text);
        return false;
    }
    auto& restart = spec["restart"];
    if (!restart.is_object()) restart = json::object();
    restart.update(value->is_object() ? *value : json{{"policy", *value}});
    return true;
}

}  // namespace

std::optional<json> spec_of(const CreateOptions& options) {
    auto spec = read_spec(options.file);
    auto labels = pairs(options.labels, "--label");
    auto environment = pairs(options.environment, "--env");
    auto limits = fields(options.limits, limit_field, "--limit", "RESOURCE[:ACTION]=AMOUNT[/PER]");
    auto parameters = fields(options.parameters, parameter_field, "--param", "NAME[=VALUE]");
    if (!spec || !labels || !environment || !limits || !parameters) return std::nullopt;
    (*spec)["name"] = options.name;
    if (!options.template_name.empty()) (*spec)["template"] = options.template_name;
    if (!set_root(*spec, options)) return std::nullopt;
    if (!options.hostname.empty()) (*spec)["hostname"] = options.hostname;
    if (!set_restart(*spec, options.restart) || !set_health(*spec, options.health)) return std::nullopt;
    auto network = spec->value("network", json::object());
    if (network.is_null()) network = json::object();
    if (!set_network(network, options) || !add_publish(*spec, options.publish) || !add_mounts(*spec, options.mounts))
        return std::nullopt;
    if (!network.empty()) (*spec)["network"] = std::move(network);
    if (!options.user.empty()) (*spec)["exec"]["user"] = options.user;
    if (!labels->empty()) (*spec)["labels"].update(*labels);
    if (!environment->empty()) (*spec)["exec"]["env"].update(*environment);
    if (!limits->empty()) (*spec)["limits"].update(*limits);
    if (!parameters->empty()) (*spec)["parameters"].update(*parameters);
    if (!options.devices.empty()) (*spec)["devices"] = options.devices;
    if (!options.datasets.empty()) (*spec)["datasets"] = options.datasets;
    if (!options.cpuset.empty()) (*spec)["cpuset"] = options.cpuset;
    if (options.priority) (*spec)["priority"] = *options.priority;
    if (!set_dependencies(*spec, options.depends_on)) return std::nullopt;
    if (options.devfs_ruleset != 0) (*spec)["devfs_ruleset"] = options.devfs_ruleset;
    if (!options.directory.empty()) (*spec)["exec"]["directory"] = options.directory;
    if (options.ephemeral && !(*spec)["ephemeral"].is_object()) (*spec)["ephemeral"] = true;
    if (!set_ttl(*spec, options.ttl)) return std::nullopt;
    if (options.stopped) (*spec)["running"] = false;
    if (!options.command.empty()) (*spec)["command"] = options.command;
    return spec;
}

void add_spec_options(CLI::App& app, CreateOptions& options) {
    app.add_option("--template", options.template_name, "what its root is made from (host)");
    app.add_option("--root", options.root, "thin, copy, clone, or path=DIR for a directory that exists");
    app.add_option("--quota", options.quota, "the most that its files take up, on ZFS: 10G");
    app.add_option("--reservation", options.reservation, "what is kept free for them, on ZFS: 1G");
    app.add_option("--compression", options.compression, "of zfsprops(7): lz4, zstd, zstd-9, off");
    app.add_option("--network", options.networks,
                   "a network's name (default), several for an interface on each; or alias, inherit, none")
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false);
    app.add_option("--address", options.addresses,
                   "IP/LEN within the network; IPv4, IPv6 or both; NETWORK=IP/LEN with several networks, "
                   "INTERFACE=IP[/LEN] with alias")
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false);
    app.add_option("--publish", options.publish,
                   "[ADDRESS:]HOST[:JAIL][/udp]: a port of the host, or a range, that leads to the jail's")
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false);
    app.add_option("--hostname", options.hostname, "the jail's name");
    app.add_option("--label", options.labels, "KEY=VALUE")->expected(1)->take_all()->allow_extra_args(false);
    app.add_option("--env", options.environment, "NAME=VALUE for its programs")
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false);
    app.add_option("--limit", options.limits,
                   "RESOURCE=AMOUNT of rctl(8): memoryuse=512M, maxproc=100, cputime:sigterm=3600/process")
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false);
    app.add_option("--mount", options.mounts,
                   "SOURCE:TARGET[:ro,noexec,nosuid,create]: a directory of the host; TYPE:TARGET of mount(8): "
                   "tmpfs:/tmp:size=64M")
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false);
    app.add_option("--param", options.parameters, "NAME=VALUE of jail(8): allow.raw_sockets=1, allow.nomount")
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false);
    app.add_option("--device", options.devices, "a device that its /dev shows too: fuse, tun*, usb/*")
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false);
    app.add_option("--dataset", options.datasets, "a ZFS dataset that it is given to manage: tank/web/data")
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false);
    app.add_option("--cpuset", options.cpuset, "processors that it may run on: 0-3,6");
    app.add_option("--priority", options.priority, "0 to 99 (50): the smaller is begun first at a boot")
        ->check(CLI::Range(0, 99));
    app.add_option("--depends-on", options.depends_on,
                   "NAME[:healthy[:restart]]: a jail that must run, or be healthy, before this one starts, and that "
                   "takes this one along when it is made anew")
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false);
    app.add_option("--devfs-ruleset", options.devfs_ruleset, "number of the ruleset of its /dev")
        ->check(CLI::Range(1, 65535));
    app.add_option("--ttl", options.ttl, "it is removed so long after it was made: 90 (seconds), 10m, 2h, 1d");
    app.add_option("--user", options.user, "who its programs run as (root)");
    app.add_option("--restart", options.restart,
                   "POLICY[:RETRIES]: when the command ends, it is not run again (no), run again unless it exits "
                   "with code 0 (on-failure), or always; RETRIES times within 10 minutes, then given up");
}

}  // namespace jaild::cli
