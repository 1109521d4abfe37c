#include "core/model/limits.h"
#include "tests/unit/model/specs.h"

using namespace jaild;
using namespace jaild::model;
using namespace jaild::test;
using nlohmann::json;

namespace {

Limits limits(const std::string& text) {
    return spec(R"({"limits": )" + text + "}").limits;
}

std::string with_limits(const std::string& text) {
    return refusal(R"({"limits": )" + text + "}");
}

constexpr std::int64_t kMega = 1024 * 1024;

}  // namespace

TEST_CASE("a limit is an amount alone, or an amount with an action and what it counts for", "[model][rctl]") {
    CHECK(limits(R"({"memoryuse": "512M", "maxproc": {"amount": 100, "action": "sigterm", "per": "user"}})") ==
          Limits{{"memoryuse", {.amount = 512 * kMega, .action = "deny", .per = "jail"}},
                 {"maxproc", {.amount = 100, .action = "sigterm", .per = "user"}}});
    CHECK(limits(R"({"memoryuse": 4096})").at("memoryuse").amount == 4096);
    CHECK(limits(R"({"nshm": 0})").at("nshm").amount == 0);
    CHECK(limits(R"({"readbps": "10M"})").at("readbps").action == "throttle");
    CHECK(limits(R"({"cputime": {"amount": 60, "action": "sigkill"}})").at("cputime").per == "jail");
}

TEST_CASE("a limit is written with its action and with the largest unit that fits", "[model][rctl]") {
    const auto shown = to_json(spec(R"({"limits": {"memoryuse": 1073741824, "pcpu": 150}})"), Secrets::hide)["limits"];
    CHECK(shown == parsed(R"({"memoryuse": {"amount": "1G", "action": "deny", "per": "jail"},
                              "pcpu": {"amount": 150, "action": "deny", "per": "jail"}})"));
    const json document{{"limits", shown}};
    CHECK(value_of(parse_spec(document)).limits == limits(R"({"memoryuse": "1G", "pcpu": 150})"));
}

TEST_CASE("every resource of rctl(8) is known, and nothing else", "[model][rctl]") {
    for (const auto* name :
         {"cputime",   "datasize",   "stacksize",       "coredumpsize", "memoryuse", "memorylocked", "maxproc",
          "openfiles", "vmemoryuse", "pseudoterminals", "swapuse",      "nthr",      "msgqqueued",   "msgqsize",
          "nmsgq",     "nsem",       "nsemop",          "nshm",         "shmsize",   "wallclock",    "pcpu",
          "readbps",   "writebps",   "readiops",        "writeiops"}) {
        INFO(name);
        CHECK(parse_spec({{"limits", {{name, {{"amount", 1}, {"action", "log"}}}}}}).has_value());
    }
    CHECK(with_limits(R"({"memory": "1G"})") == "unknown_field /limits/memory");
    CHECK(with_limits(R"({"maxproc": {"amount": 1, "unit": "M"}})") == "unknown_field /limits/maxproc/unit");
    CHECK(with_limits(R"({"maxproc": {"action": "log"}})") == "missing_field /limits/maxproc/amount");
}

TEST_CASE("what rctl(8) cannot do with a resource is refused", "[model][rctl]") {
    for (const auto* name : {"cputime", "wallclock", "readbps", "writebps", "readiops", "writeiops"})
        CHECK(refusal_of({{"limits", {{name, {{"amount", 1}, {"action", "deny"}}}}}}) ==
              "unsupported_action /limits/" + std::string(name) + "/action");
    for (const auto* name : {"readbps", "writebps", "readiops", "writeiops"})
        CHECK(parse_spec({{"limits", {{name, {{"amount", 1}, {"action", "throttle"}}}}}}).has_value());
    for (const auto* name : {"memoryuse", "pcpu", "cputime", "maxproc"})
        CHECK(refusal_of({{"limits", {{name, {{"amount", 1}, {"action", "throttle"}}}}}}) ==
              "unsupported_action /limits/" + std::string(name) + "/action");
    CHECK(with_limits(R"({"swapuse": {"amount": 1, "per": "process"}})") == "unsupported_action /limits/swapuse/per");
    CHECK(with_limits(R"({"maxproc": {"amount": 1, "action": "kill"}})") == "invalid_value /limits/maxproc/action");
    CHECK(with_limits(R"({"maxproc": {"amount": 1, "action": "sigfoo"}})") == "invalid_value /limits/maxproc/action");
    CHECK(with_limits(R"({"maxproc": {"amount": 1, "per": "host"}})") == "invalid_value /limits/maxproc/per");
}

TEST_CASE("time cannot be denied, so that its limit says what is to happen", "[model][rctl]") {
    const auto error = error_of(parse_spec(parsed(R"({"limits": {"cputime": 3600}})")));
    CHECK(error.name() == "missing_field");
    CHECK(error.field == "/limits/cputime/action");
    CHECK(error.remedy.find("sigterm") != std::string::npos);
}

TEST_CASE("amounts are whole, not negative, no more than the kernel counts, and enough to run at all",
          "[model][rctl]") {
    CHECK(with_limits(R"({"maxproc": "100"})") == "wrong_type /limits/maxproc");
    CHECK(with_limits(R"({"maxproc": 1.5})") == "wrong_type /limits/maxproc");
    CHECK(with_limits(R"({"maxproc": -1})") == "invalid_value /limits/maxproc");
    CHECK(with_limits(R"({"maxproc": 0})") == "invalid_value /limits/maxproc");
    CHECK(with_limits(R"({"memoryuse": "lots"})") == "invalid_size /limits/memoryuse");
    CHECK(with_limits(R"({"memoryuse": true})") == "wrong_type /limits/memoryuse");
    CHECK(with_limits(R"({"memoryuse": {"amount": "0"}})") == "invalid_value /limits/memoryuse/amount");
    CHECK(limits(R"({"memoryuse": 9223372036854775807})").at("memoryuse").amount == INT64_MAX);
    CHECK(with_limits(R"({"memoryuse": 9223372036854775808})") == "invalid_value /limits/memoryuse");
    CHECK(limits(R"({"pcpu": 9223372036854})").at("pcpu").amount == 9'223'372'036'854);
    CHECK(with_limits(R"({"pcpu": 9223372036855})") == "invalid_value /limits/pcpu");
    CHECK(with_limits(R"("512M")") == "wrong_type /limits");
}

TEST_CASE("limits are changed one by one, and none of them waits for a restart", "[model][rctl]") {
    const auto before = spec(R"({"limits": {"memoryuse": {"amount": "1G", "action": "sigkill"}, "maxproc": 9}})");
    const auto after =
        value_of(merge_patch(before, parsed(R"({"limits": {"memoryuse": {"amount": "2G"}, "maxproc": null}})")));
    CHECK(after.limits == Limits{{"memoryuse", {.amount = 2048 * kMega, .action = "sigkill", .per = "jail"}}});
    CHECK(value_of(merge_patch(before, parsed(R"({"limits": {"memoryuse": "2G"}})"))).limits.at("memoryuse").action ==
          "deny");
    CHECK(restart_fields_changed(before, after).empty());
}
