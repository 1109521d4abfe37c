#include "core/kernel/freebsd/pure/rctl_messages.h"

#include <random>

#include "core/model/limits.h"
#include "tests/catch.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::kernel::freebsd::rctl;

namespace {

std::string line(const std::string& rule) {
    return "!system=RCTL subsystem=rule type=matched rule=" + rule;
}

Breach breach(const std::string& jail, const std::string& resource) {
    return {.jail = test::value_of(model::Name::parse(jail)), .resource = resource};
}

}  // namespace

TEST_CASE("which jail met which limit is read from what devd passes on", "[freebsd][rctl]") {
    CHECK(parse_breach(line("jail:web:memoryuse:devctl=33554432 pid=871 ruid=0 jail=web\n")) ==
          breach("web", "memoryuse"));
    CHECK(parse_breach(line("jail:web:nthr:devctl=9/process pid=871 ruid=0 jail=web.inner\n")) ==
          breach("web", "nthr"));
    CHECK(parse_breach(line("jail:a-b_C9:openfiles:devctl=300 pid=1 ruid=80 jail=a-b_C9")) ==
          breach("a-b_C9", "openfiles"));
}

TEST_CASE("a message that the kernel cut off is read as long as it says what it is about", "[freebsd][rctl]") {
    const std::string longest(model::Name::kMaxLength, 'n');
    const auto whole = line("jail:" + longest + ":pseudoterminals:devctl=12 pid=871 ruid=0 jail=" + longest + "\n");
    const auto known = line("jail:" + longest + ":pseudoterminals:devctl=").size();
    // RCTL_LOG_BUFSIZE, with its NUL, is of "rule=" on.
    CHECK(known < line("").size() - 5 + 128);
    for (std::size_t size = 0; size <= whole.size(); ++size) {
        INFO(size);
        CHECK(parse_breach(whole.substr(0, size)).has_value() == (size >= known));
    }
}

TEST_CASE("messages about anything else are none, whatever a jail is called", "[freebsd][rctl]") {
    for (const auto& other :
         {std::string(), std::string("\n"), std::string("!system=RCTL"), line(""), line("jail:"), line("jail::::="),
          line("user:1001:maxproc:devctl=9 pid=7 ruid=1001 jail=0"), line("process:9:maxproc:devctl=9 pid=9"),
          line("jail:web:memoryuse:log=9 pid=7"), line("jail:web:memory:devctl=9 pid=7"), line("jail:7:nthr:devctl=9"),
          line("jail:web.inner:nthr:devctl=9"), line("jail::nthr:devctl=9"), line("jail:a b:nthr:devctl=9"),
          line("jail:x rule=jail:web:nthr:devctl=9"),
          std::string("!system=DEVFS subsystem=CDEV type=CREATE cdev=pts/0"),
          std::string("!system=IFNET subsystem=rule=jail:web:nthr:devctl=9 type=x"),
          " " + line("jail:web:nthr:devctl=9")}) {
        INFO(other);
        CHECK_FALSE(parse_breach(other));
    }
}

TEST_CASE("whatever comes by the socket, only names and resources come out of it", "[freebsd][rctl][property]") {
    std::mt19937 dice(20'261'123);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same each time
    const auto good = line("jail:web:memoryuse:devctl=33554432 pid=871 ruid=0 jail=web\n");
    std::size_t read = 0;
    for (int round = 0; round < 20'000; ++round) {
        auto text = good;
        for (auto changes = dice() % 4; changes > 0; --changes) {
            const auto at = dice() % text.size();
            if (dice() % 2 == 0)
                text[at] = static_cast<char>(dice() % 256);
            else
                text.erase(at, dice() % 8);
            if (text.empty()) text = ":";
        }
        const auto found = parse_breach(text);
        if (!found) continue;
        ++read;
        INFO(text);
        CHECK(model::limit_resource(found->resource) != nullptr);
        CHECK(model::Name::parse(found->jail.text()));
    }
    CHECK(read > 1'000);
}
