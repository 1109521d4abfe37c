#include <algorithm>
#include <random>
#include <sstream>

#include "core/kernel/linux/nft_jail_rules.h"
#include "core/reconcile/compile_firewall.h"
#include "tests/instance.h"

using namespace jaild;
using namespace jaild::test;
namespace nft = jaild::kernel::nft;

namespace {

IpAddress ip(const std::string& text) {
    return value_of(IpAddress::parse(text));
}
Prefix cidr(const std::string& text) {
    return value_of(Prefix::parse(text));
}

std::vector<model::Network> two_networks() {
    return {{.id = NetworkId{1},
             .name = value_of(model::Name::parse("lan")),
             .ipv4 = cidr("10.1.0.0/24"),
             .ipv6 = cidr("fd00:1::/64")},
            {.id = NetworkId{2},
             .name = value_of(model::Name::parse("dmz")),
             .ipv4 = cidr("10.2.0.0/24"),
             .ipv6 = cidr("fd00:2::/64")}};
}

/// Jail number n, on network 1 or 2.
reconcile::Resident jail(std::int64_t n, unsigned network) {
    const auto host = std::to_string(network) + ".0." + std::to_string(n + 1);
    reconcile::Resident one{.id = JailId{n}, .name = "j" + std::to_string(n)};
    one.endpoints.push_back(
        {.index = 0,
         .network = NetworkId{network},
         .addresses = {ip("10." + host), ip("fd00:" + std::to_string(network) + "::" + std::to_string(n + 1))},
         .gateways = {ip("10." + std::to_string(network) + ".0.1")}});
    return one;
}

/// Every chain as nft(8) prints it, without comments.
std::string printed(const nft::JailText& text) {
    std::string all;
    for (const auto* chains : {&text.inet, &text.bridge}) {
        for (const auto& chain : *chains) {
            all += chain.name + (chain.type.empty() ? "" : " (" + chain.type + " " + chain.hook + ")") + "\n";
            for (const auto& rule : chain.rules) all += "    " + rule + "\n";
        }
    }
    for (const auto& entry : text.entries) all += entry.name + ": " + entry.key + " -> " + entry.target + "\n";
    for (const auto& entry : text.ports) all += entry.name + ": " + entry.key + " -> " + entry.target + "\n";
    for (const auto& [name, members] : text.sets) {
        all += name + ":";
        for (const auto& member : members) all += " " + member;
        all += "\n";
    }
    return all;
}

}  // namespace

TEST_CASE("the rules of a jail read as its spec does", "[nft][policy]") {
    auto web = jail(5, 1);
    web.publish = {{.host_port = {8080, 8080}, .jail_port = {80, 80}},
                   {.host_port = {9000, 9001},
                    .jail_port = {90, 91},
                    .protocol = model::Protocol::udp,
                    .host_address = ip("192.0.2.1")}};
    web.firewall.ingress = model::Policy{
        .fallback = model::Action::deny,
        .rules = {{.peer = model::PeerLabel{"tier", "front"}, .protocol = model::Protocol::tcp, .ports = {{443, 443}}},
                  {.peer = cidr("198.51.100.0/24"), .ports = {{53, 53}, {50, 60}}, .action = model::Action::deny},
                  {.protocol = model::Protocol::icmp}}};
    web.firewall.egress = model::Policy{.rules = {{.peer = model::PeerNetwork{"dmz"}}}};
    auto front = jail(6, 1);
    front.labels["tier"] = "front";
    const reconcile::Residents all{{web.id, web}, {front.id, front}};
    const auto rules = reconcile::compile_firewall(web, all, two_networks());
    const auto label4 = nft::set_name("label:tier=front", Family::ipv4);
    const auto label6 = nft::set_name("label:tier=front", Family::ipv6);
    const auto dmz4 = nft::set_name("network:dmz", Family::ipv4);
    const auto dmz6 = nft::set_name("network:dmz", Family::ipv6);
    CHECK(label4.starts_with("label_tier_front-"));
    CHECK(printed(nft::jail_text(instance(), rules)) ==
          "j5-in\n"
          "    ip saddr { 10.1.0.6 } accept\n"
          "    ip6 saddr { fd00:1::6 } accept\n"
          "    ip saddr @" +
              label4 +
              " tcp dport 443 counter accept\n"
              "    ip6 saddr @" +
              label6 +
              " tcp dport 443 counter accept\n"
              "    ip saddr 198.51.100.0/24 meta l4proto { tcp, udp } th dport 50-60 counter drop\n"
              "    meta l4proto { icmp, ipv6-icmp } counter accept\n"
              "    tcp dport 80 counter accept\n"
              "    meta nfproto ipv4 udp dport 90-91 counter accept\n"
              "    counter drop\n"
              "j5-out\n"
              "    ip daddr { 10.1.0.6 } return\n"
              "    ip6 daddr { fd00:1::6 } return\n"
              "    ip daddr @" +
              dmz4 +
              " counter return\n"
              "    ip6 daddr @" +
              dmz6 +
              " counter return\n"
              "    counter drop\n"
              "j5-nat (nat prerouting)\n"
              "    ip daddr != 127.0.0.0/8 fib daddr type local tcp dport 8080 dnat ip to 10.1.0.6:80\n"
              "    ip6 daddr != ::1 fib daddr type local tcp dport 8080 dnat ip6 to [fd00:1::6]:80\n"
              "    ip daddr 192.0.2.1 udp dport 9000-9001 dnat ip to udp dport map "
              "{ 9000 : 10.1.0.6 . 90, 9001 : 10.1.0.6 . 91 }\n"
              "j5-nat-host (nat output)\n"
              "    ip daddr != 127.0.0.0/8 fib daddr type local tcp dport 8080 dnat ip to 10.1.0.6:80\n"
              "    ip6 daddr != ::1 fib daddr type local tcp dport 8080 dnat ip6 to [fd00:1::6]:80\n"
              "    ip daddr 192.0.2.1 udp dport 9000-9001 dnat ip to udp dport map "
              "{ 9000 : 10.1.0.6 . 90, 9001 : 10.1.0.6 . 91 }\n"
              "j5-hairpin (nat postrouting)\n"
              "    ip saddr 10.1.0.6 ip daddr 10.1.0.6 ct status dnat snat ip to 10.1.0.1\n"
              "j5-guard0\n"
              "    ether type arp arp saddr ip != { 10.1.0.6, 0.0.0.0 } drop\n"
              "    ip saddr != { 10.1.0.6 } drop\n"
              "    ip6 saddr != { fd00:1::6, ::, fe80::/10 } drop\n"
              "    icmpv6 type nd-neighbor-advert @th,64,128 != 0xfd000001000000000000000000000006 @th,64,10 != 0x3fa "
              "drop\n"
              "    ether type != { ip, arp, ip6 } drop\n"
              "egress4: 10.1.0.6 -> j5-out\n"
              "ingress4: 10.1.0.6 -> j5-in\n"
              "decided4: 10.1.0.6 -> \n"
              "egress6: fd00:1::6 -> j5-out\n"
              "ingress6: fd00:1::6 -> j5-in\n"
              "decided6: fd00:1::6 -> \n"
              "ports: jk3f9a5a -> j5-guard0\n" +
              label4 + ": 10.1.0.7\n" + label6 + ": fd00:1::7\n" + dmz4 + ": 10.2.0.0/24\n" + dmz6 + ": fd00:2::/64\n");
}

TEST_CASE("a jail without policy has its guard and nothing else, one that publishes says what holds by default",
          "[nft][policy]") {
    auto web = jail(5, 1);
    const auto text = nft::jail_text(instance(), reconcile::compile_firewall(web, {{web.id, web}}, two_networks()));
    CHECK(text.inet.empty());
    CHECK(text.entries.empty());
    CHECK(text.bridge.size() == 1);

    web.publish = {{.host_port = {80, 80}, .jail_port = {80, 80}}};
    const auto rules = reconcile::compile_firewall(web, {{web.id, web}}, two_networks());
    CHECK(rules.ingress->rules ==
          std::vector<kernel::FilterRule>{{.peer = cidr("10.1.0.0/24")}, {.peer = cidr("fd00:1::/64")}});
    CHECK(rules.ingress->fallback == model::Action::deny);
}

TEST_CASE("a comment says what its rule counts", "[nft][policy]") {
    using enum kernel::RuleCount::Place;
    CHECK(nft::counted("jaild:k3f9a:jail:5 in:rule:3 1/9 00ff") ==
          kernel::RuleCount{.ingress = true, .place = rule, .index = 3});
    CHECK(nft::counted("jaild:k3f9a:jail:5 out:default:0 1/9 00ff") ==
          kernel::RuleCount{.ingress = false, .place = fallback, .index = 0});
    CHECK(nft::counted("jaild:k3f9a:jail:5 in:published:2 1/9 00ff") ==
          kernel::RuleCount{.ingress = true, .place = published, .index = 2});
    CHECK_FALSE(nft::counted("jaild:k3f9a:jail:5 - 1/9 00ff"));
    CHECK_FALSE(nft::counted("somebody's"));
}

// The property: whatever the policies, the text that is loaded decides as the specs say.
namespace {

/// A packet that begins a connection.
struct Packet {
    IpAddress source;
    IpAddress target;
    model::Protocol protocol = model::Protocol::tcp;
    std::uint16_t port = 0;
};

struct World {
    reconcile::Residents jails;
    std::vector<model::Network> networks = two_networks();

    [[nodiscard]] const reconcile::Resident* owner(const IpAddress& address) const {
        for (const auto& [id, one] : jails)
            for (const auto& endpoint : one.endpoints)
                if (std::ranges::find(endpoint.addresses, address) != endpoint.addresses.end()) return &one;
        return nullptr;
    }
    /// 0: outside.
    [[nodiscard]] std::int64_t network_of(const IpAddress& address) const {
        for (const auto& network : networks)
            if (network.ipv4->contains(address) || network.ipv6->contains(address)) return network.id.value;
        return 0;
    }
};

// What docs/firewall.md says, from the specs alone.

bool names(const model::Peer& peer, const IpAddress& address, const World& world) {
    const auto* jail = world.owner(address);
    if (const auto* named = std::get_if<model::PeerJail>(&peer)) return jail != nullptr && jail->name == named->name;
    if (const auto* label = std::get_if<model::PeerLabel>(&peer)) {
        if (jail == nullptr || !jail->labels.contains(label->key)) return false;
        return !label->value || jail->labels.at(label->key) == *label->value;
    }
    if (const auto* network = std::get_if<model::PeerNetwork>(&peer)) {
        for (const auto& one : world.networks)
            if (one.name.text() == network->name) return one.ipv4->contains(address) || one.ipv6->contains(address);
        return false;
    }
    return std::get<Prefix>(peer).contains(address);
}

bool holds(const model::PolicyRule& rule, const Packet& packet, const IpAddress& other, const World& world) {
    if (rule.peer && !names(*rule.peer, other, world)) return false;
    if (rule.protocol && *rule.protocol != packet.protocol) return false;
    if (rule.ports.empty()) return true;
    return packet.protocol != model::Protocol::icmp &&
           std::ranges::any_of(rule.ports, [&](const auto& range) { return range.contains(packet.port); });
}

bool spec_allows(const Packet& packet, const World& world) {
    const auto* sender = world.owner(packet.source);
    const auto* receiver = world.owner(packet.target);
    if (sender == receiver) return true;
    if (sender != nullptr && sender->firewall.egress) {
        const auto& policy = *sender->firewall.egress;
        const auto rule = std::ranges::find_if(
            policy.rules, [&](const auto& one) { return holds(one, packet, packet.target, world); });
        if ((rule == policy.rules.end() ? policy.fallback : rule->action) == model::Action::deny) return false;
    }
    if (receiver == nullptr) return true;
    const bool published = std::ranges::any_of(receiver->publish, [&](const model::Publish& one) {
        const bool family = !one.host_address || one.host_address->family == packet.target.family;
        return family && one.protocol == packet.protocol && one.jail_port.contains(packet.port);
    });
    if (!receiver->firewall.ingress)
        return published || world.network_of(packet.source) == world.network_of(packet.target);
    const auto& policy = *receiver->firewall.ingress;
    const auto rule =
        std::ranges::find_if(policy.rules, [&](const auto& one) { return holds(one, packet, packet.source, world); });
    if (rule != policy.rules.end()) return rule->action == model::Action::allow;
    return published || policy.fallback == model::Action::allow;
}

/// Reads what nft(8) would be given, as far as jaild writes it.
class Interpreter {
public:
    explicit Interpreter(const World& world) : world_(world) {
        for (const auto& [id, one] : world.jails) {
            const auto text = nft::jail_text(instance(), reconcile::compile_firewall(one, world.jails, world.networks));
            for (const auto& chain : text.inet) chains_[chain.name] = chain.rules;
            for (const auto& entry : text.entries) elements_[entry.name][entry.key] = entry.target;
            for (const auto& [name, members] : text.sets) sets_[name] = members;
        }
        for (const auto& chain : nft::shared_inet(instance())) chains_[chain.name] = chain.rules;
        for (const auto& network : world.networks)
            for (const auto& chain : nft::chains(instance(), network)) chains_[chain.name] = chain.rules;
    }

    /// Each base chain of the forward hook has to let it pass.
    bool allows(const Packet& packet) {
        packet_ = &packet;
        return run("jails") != "drop" && run("n1-forward") != "drop" && run("n2-forward") != "drop";
    }

private:
    std::string run(const std::string& chain) {
        for (const auto& rule : chains_.at(chain)) {
            words_ = {};
            std::istringstream stream(rule);
            for (std::string word; stream >> word;) words_.push_back(word);
            at_ = 0;
            const auto verdict = apply();
            if (verdict == "return") return {};
            if (!verdict.empty()) return verdict;
        }
        return {};
    }

    std::string next() { return words_.at(at_++); }
    /// "x", "x-y", "@set", or "{ … }".
    std::vector<std::string> values() {
        auto first = next();
        if (first != "{") return {first};
        std::vector<std::string> all;
        for (auto word = next(); word != "}"; word = next()) {
            if (word.ends_with(',')) word.pop_back();
            all.push_back(word);
        }
        return all;
    }

    std::string apply() {
        while (at_ < words_.size()) {
            const auto word = next();
            if (word == "counter") continue;
            if (word == "accept" || word == "drop" || word == "return") return word;
            if (word == "ip" || word == "ip6") {
                const auto family = word == "ip" ? Family::ipv4 : Family::ipv6;
                const bool source = next() == "saddr";
                const auto& address = source ? packet_->source : packet_->target;
                if (words_.at(at_) == "vmap") {
                    ++at_;
                    const auto& map = elements_[next().substr(1)];
                    const auto found = map.find(address.to_string());
                    if (address.family != family || found == map.end()) return {};
                    return run(found->second);
                }
                const auto wanted = values();
                if (address.family != family || !among(address, wanted)) return {};
            } else if (!matches(word)) {
                return {};
            }
        }
        return {};
    }

    bool among(const IpAddress& address, const std::vector<std::string>& wanted) {
        return std::ranges::any_of(wanted, [&](const std::string& one) {
            if (one.starts_with('@')) {
                const auto name = one.substr(1);
                if (name.starts_with("decided")) return elements_[name].contains(address.to_string());
                return std::ranges::any_of(sets_.at(name), [&](const std::string& member) {
                    return member.contains('/') ? cidr(member).contains(address) : ip(member) == address;
                });
            }
            return one.contains('/') ? cidr(one).contains(address) : ip(one) == address;
        });
    }

    [[nodiscard]] std::string interface_of(const IpAddress& address) const {
        const auto network = world_.network_of(address);
        return network == 0 ? "\"uplink\"" : "\"jk3f9a" + std::to_string(network) + "n\"";
    }

    bool matches(const std::string& word) {
        const auto contains = [](const auto& all, const std::string& one) {
            return std::ranges::find(all, one) != all.end();
        };
        const auto protocol = std::string(model::to_string(packet_->protocol));
        if (word == "meta") {
            const auto key = next();
            const auto wanted = values();
            if (key == "nfproto") return wanted.front() == (packet_->source.family == Family::ipv4 ? "ipv4" : "ipv6");
            const auto number = protocol != "icmp" || packet_->source.family == Family::ipv4 ? protocol : "ipv6-icmp";
            return contains(wanted, number);
        }
        if (word == "tcp" || word == "udp" || word == "th") {
            REQUIRE(next() == "dport");
            const auto wanted = values();
            if (protocol == "icmp" || (word != "th" && word != protocol)) return false;
            return std::ranges::any_of(wanted, [&](const std::string& range) {
                const auto dash = range.find('-');
                const auto first = std::stoul(range);
                const auto last = dash == std::string::npos ? first : std::stoul(range.substr(dash + 1));
                return first <= packet_->port && packet_->port <= last;
            });
        }
        if (word == "iifname" || word == "oifname") {
            const auto name = interface_of(word == "iifname" ? packet_->source : packet_->target);
            const auto wanted = next();
            return wanted == "!=" ? next() != name : wanted == name;
        }
        // A packet that begins a connection is not established, and no neighbour discovery.
        if (word == "ct" || word == "icmpv6") return false;
        FAIL("unknown to the interpreter: " << word);
        return false;
    }

    const World& world_;
    const Packet* packet_ = nullptr;
    std::map<std::string, std::vector<std::string>> chains_;
    std::map<std::string, std::map<std::string, std::string>> elements_;
    std::map<std::string, std::set<std::string>> sets_;
    std::vector<std::string> words_;
    std::size_t at_ = 0;
};

/// Few of everything, so that rules, selectors and packets meet.
class Draw {
public:
    explicit Draw(std::uint64_t seed) : random_(seed) {}
    std::size_t below(std::size_t bound) { return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random_); }
    bool coin() { return below(2) == 1; }
    std::uint16_t port() { return static_cast<std::uint16_t>(78 + below(5)); }
    model::PortRange ports() {
        const auto first = port();
        return {.first = first, .last = static_cast<std::uint16_t>(first + below(3))};
    }
    model::Peer peer() {
        static const std::vector<std::string> cidrs{"10.1.0.0/24", "0.0.0.0/0",       "::/0",         "fd00:2::/64",
                                                    "10.1.0.3/32", "198.51.100.0/25", "2001:db8::/48"};
        switch (below(5)) {
            case 0:
                return model::PeerJail{"j" + std::to_string(1 + below(5))};
            case 1:
                return model::PeerLabel{.key = "tier"};
            case 2:
                return model::PeerLabel{.key = "tier", .value = coin() ? "a" : "b"};
            case 3:
                return model::PeerNetwork{coin() ? "lan" : coin() ? "dmz" : "none"};
            default:
                return cidr(cidrs.at(below(cidrs.size())));
        }
    }
    model::Policy policy() {
        model::Policy drawn{.fallback = coin() ? model::Action::allow : model::Action::deny};
        for (auto n = below(4); n > 0; --n) {
            model::PolicyRule rule{.action = coin() ? model::Action::allow : model::Action::deny};
            if (below(4) > 0) rule.peer = peer();
            if (coin()) rule.protocol = static_cast<model::Protocol>(below(3));
            if (rule.protocol != model::Protocol::icmp)
                for (auto m = below(3); m > 0; --m) rule.ports.push_back(ports());
            drawn.rules.push_back(std::move(rule));
        }
        return drawn;
    }
    World world() {
        World made;
        for (std::int64_t n = 1; n <= 4; ++n) {
            auto one = jail(n, n <= 2 ? 1 : 2);
            if (coin()) one.labels["tier"] = coin() ? "a" : "b";
            if (coin()) one.firewall.ingress = policy();
            if (coin()) one.firewall.egress = policy();
            if (below(3) == 0) {
                model::Publish publish{.host_port = {8080, 8080}, .jail_port = {80, 80}};
                if (coin()) publish.protocol = model::Protocol::udp;
                if (coin()) publish.host_address = ip(coin() ? "192.0.2.1" : "2001:db8::2");
                one.publish.push_back(publish);
            }
            made.jails.emplace(one.id, one);
        }
        return made;
    }
    IpAddress address(const World& world, Family family) {
        const auto index = below(6);
        if (index < 4)
            return world.jails.at(JailId{static_cast<std::int64_t>(index) + 1})
                .endpoints.front()
                .addresses.at(family == Family::ipv4 ? 0 : 1);
        if (family == Family::ipv4) return ip(index == 4 ? "198.51.100.1" : "198.51.100.200");
        return ip(index == 4 ? "2001:db8::1" : "2001:db9::1");
    }

private:
    std::mt19937_64 random_;
};

}  // namespace

TEST_CASE("the compiled rules decide as the specs say, for random policies and packets", "[nft][policy][property]") {
    std::size_t allowed = 0;
    std::size_t denied = 0;
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        Draw draw(seed);
        const auto world = draw.world();
        Interpreter interpreter(world);
        for (int n = 0; n < 100; ++n) {
            const auto family = draw.coin() ? Family::ipv4 : Family::ipv6;
            const Packet packet{.source = draw.address(world, family),
                                .target = draw.address(world, family),
                                .protocol = static_cast<model::Protocol>(draw.below(3)),
                                .port = draw.port()};
            const bool wanted = spec_allows(packet, world);
            (wanted ? allowed : denied) += 1;
            INFO("seed " << seed << ": " << packet.source.to_string() << " to " << packet.target.to_string() << " "
                         << model::to_string(packet.protocol) << " " << packet.port);
            REQUIRE(interpreter.allows(packet) == wanted);
        }
    }
    CHECK(allowed > 3000);
    CHECK(denied > 3000);
}
