#include "core/model/devices.h"

#include <nlohmann/json.hpp>

#include "core/model/jail_spec.h"
#include "tests/catch.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::model;
using namespace jaild::test;
using nlohmann::json;

namespace {

std::vector<std::string> devices_of(json value) {
    return value_of(parse_spec({{"devices", std::move(value)}})).devices;
}

std::string device_refusal(json value) {
    const auto error = error_of(parse_spec({{"devices", std::move(value)}}));
    return std::string(error.name()) + " " + error.field;
}

}  // namespace

TEST_CASE("devices are paths beneath /dev and patterns", "[model][devices]") {
    const json all{"fuse", "tun*", "usb/*", "ttyU[0-9]", "cuau?", "net/tun", "zvol/tank/a-b:c", "0"};
    CHECK(devices_of(all) == all.get<std::vector<std::string>>());
    CHECK(devices_of(json::array()).empty());
    const auto spec = value_of(parse_spec({{"devices", all}}));
    CHECK(to_json(spec, Secrets::hide).at("devices") == all);
}

TEST_CASE("what names no device, or all of them, is refused", "[model][devices]") {
    CHECK(device_refusal("fuse") == "wrong_type /devices");
    CHECK(device_refusal({1}) == "wrong_type /devices/0");
    for (const char* wrong :
         {"",     "/dev/fuse", "/fuse", "*",   "?",   "[a-z]*", ".",    "..", "a/..",  "a/../mem",
          "a//b", "a/",        "a/.",   "a b", "a,b", "a;b",    "a\\*", "-x", "a/./b", "gr\xc3\xbc\xc3\x9f"}) {
        INFO(wrong);
        CHECK(device_refusal({"fuse", wrong}) == "invalid_value /devices/1");
    }
    CHECK(device_refusal({"fuse", "fuse"}) == "invalid_value /devices/1");
}

TEST_CASE("so many devices and no more, so long and no longer", "[model][devices]") {
    json many = json::array();
    for (std::size_t at = 0; at < SpecLimits::devices; ++at) many.push_back("d" + std::to_string(at));
    CHECK(devices_of(many).size() == 64);
    many.push_back("more");
    CHECK(device_refusal(many) == "too_many /devices");
    const std::string longest(SpecLimits::device_bytes, 'd');
    CHECK(devices_of({longest}).size() == 1);
    CHECK(device_refusal({longest + "d"}) == "too_long /devices/0");
}

TEST_CASE("a wildcard stands for no slash", "[model][devices]") {
    const std::vector<std::string> patterns{"tun*", "usb/*", "fuse"};
    for (const char* named : {"tun", "tun0", "tun10", "usb/0.1.0", "fuse"}) CHECK(names_device(patterns, named));
    for (const char* other : {"ttun", "tun0/a", "usb", "usb/a/b", "fuse0", "mem"})
        CHECK_FALSE(names_device(patterns, other));
    CHECK_FALSE(names_device({}, "fuse"));
}

TEST_CASE("the directories that lead to a device are named before it", "[model][devices]") {
    CHECK(with_directories({"fuse", "usb/*", "usb/0", "a/b/c"}) ==
          std::vector<std::string>{"fuse", "usb", "usb/*", "usb/0", "a", "a/b", "a/b/c"});
}

TEST_CASE("a running jail gets other devices at its next start", "[model][devices]") {
    const auto with = value_of(parse_spec({{"devices", {"fuse"}}}));
    CHECK(restart_fields_changed(JailSpec{}, with) == std::vector<std::string>{"/devices"});
    CHECK(value_of(merge_patch(with, {{"devices", nullptr}})).devices.empty());
}
