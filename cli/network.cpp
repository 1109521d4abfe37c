#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/input.h"
#include "cli/table.h"

/// jaildctl network ls|show|create|set|rm
namespace jaild::cli {
namespace {

using nlohmann::json;

constexpr const char* kNone = "none";

struct NetworkOptions {
    std::string name;
    std::string ipv4;
    std::string ipv6;
    std::vector<std::string> gateways;
    bool nat = false;
    bool no_nat = false;
    std::string nat_interface;
    std::vector<std::string> nat_addresses;
    std::string bridge;
    std::string uplink;
    std::string vlan;
    unsigned mtu = 0;
    bool isolated = false;
    bool no_isolated = false;
    std::vector<std::string> nameservers;
    std::vector<std::string> search;
    std::vector<std::string> reserved;
    std::vector<std::string> labels;
    bool dry_run = false;
};

struct NetworkNames {
    std::vector<std::string> names;
};

std::string network_target(const std::string& name) {
    return "/v1/networks/" + client::encode(name);
}

bool is_ipv6(const std::string& address) {
    return address.find(':') != std::string::npos;
}

void put_text(json& body, const char* field, const std::string& value) {
    if (value == kNone)
        body[field] = nullptr;
    else if (!value.empty())
        body[field] = value;
}

void put_list(json& body, const char* field, const std::vector<std::string>& values) {
    if (values.size() == 1 && values.front() == kNone)
        body[field] = json::array();
    else if (!values.empty())
        body[field] = values;
}

json nat_of(const NetworkOptions& options) {
    json nat = json::object();
    if (!options.nat_interface.empty()) nat["interface"] = options.nat_interface;
    for (const auto& address : options.nat_addresses) nat[is_ipv6(address) ? "address6" : "address4"] = address;
    return nat;
}

/// What is asked for; empty with a word on standard error when it cannot be.
std::optional<json> body_of(const NetworkOptions& options) {
    json body = json::object();
    put_text(body, "ipv4", options.ipv4);
    put_text(body, "ipv6", options.ipv6);
    for (const auto& gateway : options.gateways) {
        if (gateway == kNone)
            body["gateway4"] = body["gateway6"] = nullptr;
        else
            body[is_ipv6(gateway) ? "gateway6" : "gateway4"] = gateway;
    }
    if (options.no_nat) body["nat"] = false;
    if (options.nat) body["nat"] = true;
    if (auto nat = nat_of(options); !nat.empty()) body["nat"] = std::move(nat);
    put_text(body, "bridge", options.bridge);
    put_text(body, "uplink", options.uplink);
    if (options.vlan == kNone)
        body["vlan"] = nullptr;
    else if (!options.vlan.empty())
        body["vlan"] = std::stoul(options.vlan);
    if (options.mtu != 0) body["mtu"] = options.mtu;
    if (options.isolated) body["isolated"] = true;
    if (options.no_isolated) body["isolated"] = false;
    put_list(body, "nameservers", options.nameservers);
    put_list(body, "search", options.search);
    put_list(body, "reserved", options.reserved);
    if (!options.labels.empty()) {
        auto labels = pairs(options.labels, "--label");
        if (!labels) return std::nullopt;
        body["labels"] = *std::move(labels);
    }
    return body;
}

/// Sends a change, and says what became of it.
int send_change(Context& context, std::string method, std::string target, const std::string& body, bool dry_run,
                const std::string& done, json& answer) {
    if (dry_run) target += "?dry_run=true";
    int exit = kDone;
    const auto response = call(context, {.method = std::move(method), .target = std::move(target), .body = body}, exit);
    if (!response) return exit;
    if (auto value = json::parse(response->body, nullptr, false); !value.is_discarded()) answer = std::move(value);
    if (context.json) return kDone;
    if (!dry_run) {
        fmt::print("{}\n", done);
        return kDone;
    }
    if (answer.at("plan").empty()) fmt::print("nothing to do in the kernel\n");
    for (const auto& step : answer.at("plan")) fmt::print("{}\n", printable(step.get<std::string>()));
    return kDone;
}

int change_one(Context& context, const NetworkOptions& options, bool create) {
    auto body = body_of(options);
    if (!body) return kUsage;
    if (create) (*body)["name"] = options.name;
    json answer;
    const int exit = send_change(context, create ? "POST" : "PATCH",
                                 create ? "/v1/networks" : network_target(options.name), body->dump(), options.dry_run,
                                 (create ? "made network " : "changed network ") + options.name, answer);
    if (exit == kDone && context.json) print_json(answer);
    return exit;
}

std::string nat_text(const json& nat) {
    if (nat.is_boolean()) return nat.get<bool>() ? "yes" : "no";
    std::string words;
    for (const auto& [key, value] : nat.items()) words += (words.empty() ? "" : " ") + value.get<std::string>();
    return words;
}

std::string or_dash(std::string value) {
    return value.empty() ? "-" : std::move(value);
}

int list_networks(Context& context) {
    int exit = kDone;
    const auto answer = get(context, "/v1/networks", exit);
    if (!answer) return exit;
    if (context.json) {
        print_json(*answer);
        return kDone;
    }
    Table table({"NAME", "IPV4", "IPV6", "NAT", "MTU", "JAILS"});
    for (const auto& network : answer->at("items")) {
        const auto& spec = network.at("spec");
        table.add({text(network, "name"), or_dash(text(spec, "ipv4")), or_dash(text(spec, "ipv6")),
                   nat_text(spec.at("nat")), std::to_string(spec.value("mtu", 0)),
                   std::to_string(network.at("status").at("jails").size())});
    }
    fmt::print("{}", table.to_string());
    return kDone;
}

int show_network(Context& context, const std::string& name) {
    int exit = kDone;
    const auto network = get(context, network_target(name), exit);
    if (!network) return exit;
    print_json(*network);
    return kDone;
}

int remove_networks(Context& context, const std::vector<std::string>& names) {
    int exit = kDone;
    json answers = json::array();
    for (const auto& name : names) {
        json answer;
        const int code =
            send_change(context, "DELETE", network_target(name), {}, false, "removed network " + name, answer);
        if (exit == kDone) exit = code;
        if (code == kDone) answers.push_back({{"removed", name}});  // the API answers 204
    }
    if (context.json && names.size() > 1)
        print_json(answers);
    else if (context.json && !answers.empty())
        print_json(answers.front());
    return exit;
}

void add_network_fields(CLI::App& sub, NetworkOptions& options) {
    const auto repeated = [&](const char* flag, std::vector<std::string>& target, const char* description) {
        sub.add_option(flag, target, description)->expected(1)->take_all()->allow_extra_args(false);
    };
    sub.add_option("name", options.name, "of the network")->required();
    sub.add_option("--ipv4", options.ipv4, "subnet, or none; if absent, one is chosen");
    sub.add_option("--ipv6", options.ipv6, "prefix, or none; if absent, a ULA is chosen");
    repeated("--gateway", options.gateways, "a gateway that is not this host; none: this host");
    auto* nat = sub.add_flag("--nat", options.nat, "translate what goes out");
    sub.add_flag("--no-nat", options.no_nat, "do not")->excludes(nat);
    sub.add_option("--nat-interface", options.nat_interface, "translate only what leaves by it");
    repeated("--nat-address", options.nat_addresses, "translate to it");
    sub.add_option("--bridge", options.bridge, "a bridge that the host has; none: jaild's own");
    sub.add_option("--uplink", options.uplink, "interface that becomes a member of the bridge");
    sub.add_option("--vlan", options.vlan, "1 to 4094, of the uplink, or none")
        ->check(CLI::Range(1, 4094) | CLI::IsMember({kNone}));
    sub.add_option("--mtu", options.mtu, "1500 unless said otherwise")->check(CLI::Range(1, 65535));
    auto* isolated = sub.add_flag("--isolated", options.isolated, "its jails cannot reach each other");
    sub.add_flag("--no-isolated", options.no_isolated, "they can")->excludes(isolated);
    repeated("--nameserver", options.nameservers, "of jails that name none; or none");
    repeated("--search", options.search, "domain, of jails that name none; or none");
    repeated("--reserve", options.reserved, "ADDRESS or FIRST-LAST, never chosen; or none");
    repeated("--label", options.labels, "KEY=VALUE");
    sub.add_flag("--dry-run", options.dry_run, "show the steps, do nothing");
}

void add_change(CLI::App& app, Command& chosen, const char* name, const char* description, bool create) {
    auto options = std::make_shared<NetworkOptions>();
    auto* sub = app.add_subcommand(name, description);
    add_network_fields(*sub, *options);
    sub->callback([options, create, &chosen] {
        chosen = [options, create](Context& context) { return change_one(context, *options, create); };
    });
}

}  // namespace

void add_network_commands(CLI::App& app, Command& chosen) {
    auto* network = app.add_subcommand("network", "networks: ls, show, create, set, rm");
    network->require_subcommand(1);
    auto* ls = network->add_subcommand("ls", "list networks");
    ls->callback([&chosen] { chosen = [](Context& context) { return list_networks(context); }; });
    auto name = std::make_shared<std::string>();
    auto* show = network->add_subcommand("show", "everything about a network, as JSON");
    show->add_option("name", *name, "a network")->required();
    show->callback([name, &chosen] { chosen = [name](Context& context) { return show_network(context, *name); }; });
    add_change(*network, chosen, "create", "make a network", true);
    add_change(*network, chosen, "set", "change a network; what runs on it goes on", false);
    auto names = std::make_shared<NetworkNames>();
    auto* rm = network->add_subcommand("rm", "remove networks that no jail names");
    rm->add_option("name", names->names, "networks")->required();
    rm->callback(
        [names, &chosen] { chosen = [names](Context& context) { return remove_networks(context, names->names); }; });
}

}  // namespace jaild::cli
