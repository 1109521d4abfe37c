#include "tests/unit/freebsd/pf_interpreter.h"

#include <algorithm>
#include <sstream>
#include <stdexcept>

namespace jaild::test::pf_text {
namespace {

Prefix to_prefix(const std::string& text) {
    if (const auto prefix = Prefix::parse(text)) return *prefix;
    const auto address = IpAddress::parse(text).value();
    return {.address = address, .length = address.bits()};
}

std::vector<std::string> words_of(const std::string& rule) {
    std::istringstream text(rule.substr(0, rule.find(" label ")));
    std::vector<std::string> words;
    for (std::string word; text >> word;) words.push_back(word);
    return words;
}

/// Goes through the words of a rule.
class Reader {
public:
    explicit Reader(const std::vector<std::string>& words) : words_(words) {}
    [[nodiscard]] bool at_end() const { return at_ == words_.size(); }
    bool take(const std::string& word) {
        if (at_end() || words_[at_] != word) return false;
        ++at_;
        return true;
    }
    std::string next() {
        if (at_end()) throw std::runtime_error("the rule ends too early");
        return words_[at_++];
    }

private:
    const std::vector<std::string>& words_;
    std::size_t at_ = 0;
};

bool port_matches(Reader& reader, std::uint16_t port) {
    if (reader.take("=")) return std::stoi(reader.next()) == port;
    const auto range = reader.next();
    const auto colon = range.find(':');
    return std::stoi(range.substr(0, colon)) <= port && port <= std::stoi(range.substr(colon + 1));
}

bool protocol_matches(const std::string& name, const Packet& packet) {
    using enum model::Protocol;
    if (name == "icmp") return packet.protocol == icmp && packet.from.family == Family::ipv4;
    if (name == "ipv6-icmp") return packet.protocol == icmp && packet.from.family == Family::ipv6;
    return packet.protocol != icmp && name == to_string(packet.protocol);
}

}  // namespace

void Interpreter::add(const kernel::freebsd::pf::JailAnchor& anchor) {
    add(anchor.rules);
    for (const auto& [name, members] : anchor.tables)
        for (auto& table = tables_.back()[name]; const auto& member : members) table.push_back(to_prefix(member));
}

void Interpreter::add(const kernel::freebsd::pf::Rules& rules) {
    tables_.emplace_back();
    for (const auto& rule : rules.filter) rules_.push_back({tables_.size() - 1, words_of(rule)});
}

bool Interpreter::is_one_of(const Rule& rule, const std::string& whom, const IpAddress& address) const {
    if (whom == "any") return true;
    if (whom == "(self)") return std::ranges::find(self_, address) != self_.end();
    if (!whom.starts_with('<')) return to_prefix(whom).contains(address);
    const auto& members = tables_.at(rule.anchor).at(whom.substr(1, whom.size() - 2));
    return std::ranges::any_of(members, [&](const Prefix& member) { return member.contains(address); });
}

bool Interpreter::matches(const Rule& rule, const Packet& packet) const {
    Reader reader(rule.words);
    bool match = true;
    if (reader.next() == "block" && !reader.take("drop")) throw std::runtime_error("block without drop");
    if (reader.take("in")) match = match && !packet.out;
    if (reader.take("out")) match = match && packet.out;
    reader.take("quick");
    if (!reader.take("on")) throw std::runtime_error("a rule without an interface");
    match = reader.next() == packet.interface && match;
    if (reader.take("inet")) match = match && packet.from.family == Family::ipv4;
    if (reader.take("inet6")) match = match && packet.from.family == Family::ipv6;
    if (reader.take("proto")) match = protocol_matches(reader.next(), packet) && match;
    const auto side = [&](const IpAddress& address) {
        const bool inverted = reader.take("!");
        match = is_one_of(rule, reader.next(), address) != inverted && match;
    };
    if (!reader.take("all")) {
        if (!reader.take("from")) throw std::runtime_error("neither all nor from");
        side(packet.from);
        // Clients of DHCP are no packets of these tests.
        if (reader.take("port")) match = port_matches(reader, 0) && match;
        if (!reader.take("to")) throw std::runtime_error("from without to");
        side(packet.to);
        if (reader.take("port")) match = port_matches(reader, packet.port) && match;
    }
    // Nor is neighbour discovery.
    if (reader.take("icmp6-type")) match = reader.next().empty() && match;
    if (reader.take("flags") && reader.next() != "S/SA") throw std::runtime_error("other flags than S/SA");
    if (reader.take("keep") || reader.take("no")) (void)reader.next();
    if (!reader.at_end()) throw std::runtime_error("this is not understood: " + reader.next());
    return match;
}

bool Interpreter::passes(const Packet& packet) const {
    bool decision = true;
    for (const auto& rule : rules_) {
        if (!matches(rule, packet)) continue;
        decision = rule.words.front() == "pass";
        if (std::ranges::find(rule.words, "quick") != rule.words.end()) break;
    }
    return decision;
}

}  // namespace jaild::test::pf_text
