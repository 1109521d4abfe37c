#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/base/ip.h"
#include "core/kernel/freebsd/pure/pf_jail_rules.h"
#include "core/model/policy.h"

/// As much of pf.conf(5) as our anchors use, read from their text: the last rule that matches decides, `quick` at once,
/// nothing lets a packet pass.
namespace jaild::test::pf_text {

struct Packet {
    std::string interface;
    bool out = false;
    IpAddress from;
    IpAddress to;
    model::Protocol protocol = model::Protocol::tcp;
    std::uint16_t port = 0;  ///< of the destination
};

class Interpreter {
public:
    /// `self`: the addresses of the host.
    explicit Interpreter(std::vector<IpAddress> self) : self_(std::move(self)) {}
    /// Anchors are evaluated by their names' order: the caller's. A line that is not understood throws.
    void add(const kernel::freebsd::pf::JailAnchor& anchor);
    void add(const kernel::freebsd::pf::Rules& rules);
    [[nodiscard]] bool passes(const Packet& packet) const;

private:
    struct Rule {
        std::size_t anchor;
        std::vector<std::string> words;
    };
    [[nodiscard]] bool matches(const Rule& rule, const Packet& packet) const;
    [[nodiscard]] bool is_one_of(const Rule& rule, const std::string& whom, const IpAddress& address) const;

    std::vector<IpAddress> self_;
    std::vector<std::map<std::string, std::vector<Prefix>>> tables_;
    std::vector<Rule> rules_;
};

}  // namespace jaild::test::pf_text
