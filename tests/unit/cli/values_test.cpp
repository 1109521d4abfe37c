#include "cli/spec/values.h"

#include "tests/catch.h"

using namespace jaild::cli;
using nlohmann::json;

namespace {

/// {"memoryuse": "512M"}
json limit(std::string_view text) {
    const auto field = limit_field(text);
    return field ? json{{field->first, field->second}} : json();
}

json parameter(std::string_view text) {
    const auto field = parameter_field(text);
    return field ? json{{field->first, field->second}} : json();
}

}  // namespace

TEST_CASE("a limit is written as people write it, or as rctl(8) does", "[cli]") {
    CHECK(limit("memoryuse=512M") == json{{"memoryuse", "512M"}});
    CHECK(limit("maxproc=100") == json{{"maxproc", 100}});
    CHECK(limit("cputime:sigterm=3600/process") ==
          json{{"cputime", {{"amount", 3600}, {"action", "sigterm"}, {"per", "process"}}}});
    CHECK(limit("memoryuse=1.5G/user") == json{{"memoryuse", {{"amount", "1.5G"}, {"per", "user"}}}});
    CHECK(limit("maxproc=ten") == json{{"maxproc", "ten"}});  // for the daemon to refuse, with its field
    for (const auto* wrong : {"", "memoryuse", "=512M", "memoryuse=", ":deny=1", "memoryuse=/jail"}) {
        INFO(wrong);
        CHECK(limit(wrong).is_null());
    }
}

TEST_CASE("a parameter's value is what it looks like, and a name alone is on", "[cli]") {
    CHECK(parameter("allow.raw_sockets=1") == json{{"allow.raw_sockets", 1}});
    CHECK(parameter("allow.raw_sockets=true") == json{{"allow.raw_sockets", true}});
    CHECK(parameter("allow.nomount") == json{{"allow.nomount", true}});
    CHECK(parameter("securelevel=-1") == json{{"securelevel", -1}});
    CHECK(parameter("host.hostid=18446744073709551615") == json{{"host.hostid", 18446744073709551615U}});
    CHECK(parameter("sysvmsg=new") == json{{"sysvmsg", "new"}});
    CHECK(parameter("osrelease=14.0") == json{{"osrelease", "14.0"}});
    CHECK(parameter("osrelease=14.0-RELEASE") == json{{"osrelease", "14.0-RELEASE"}});
    CHECK(parameter("host.domainname=\"7\"") == json{{"host.domainname", "7"}});
    CHECK(parameter("host.domainname=") == json{{"host.domainname", ""}});
    CHECK(parameter("host.domainname=a=b") == json{{"host.domainname", "a=b"}});
    CHECK(parameter("host.domainname=null") == json{{"host.domainname", "null"}});
    CHECK(parameter("x.addr=[\"192.0.2.1\"]") == json{{"x.addr", {"192.0.2.1"}}});
    CHECK(parameter("=1").is_null());
    CHECK(parameter("").is_null());
}

TEST_CASE("a mount is a directory of the host or a type, where it goes, and its options", "[cli]") {
    const auto entry = [](std::string_view text) { return mount_entry(text).value_or(json()); };
    CHECK(entry("/srv/www:/var/www") == json{{"source", "/srv/www"}, {"target", "/var/www"}});
    CHECK(entry("/srv/www:/var/www:ro,nosuid") ==
          json{{"source", "/srv/www"}, {"target", "/var/www"}, {"options", {"ro", "nosuid"}}});
    CHECK(entry("/srv/new:/data:create") == json{{"source", "/srv/new"}, {"target", "/data"}, {"create", true}});
    CHECK(entry("tmpfs:/tmp:size=64M,noexec") ==
          json{{"type", "tmpfs"}, {"target", "/tmp"}, {"size", "64M"}, {"options", {"noexec"}}});
    CHECK(entry("zfs=tank/data:/data") == json{{"type", "zfs"}, {"source", "tank/data"}, {"target", "/data"}});
    CHECK(entry("/a:/b:rw") ==
          json{{"source", "/a"}, {"target", "/b"}, {"options", {"rw"}}});  // for the daemon to refuse
    for (const auto* wrong : {"", "/srv", "/srv:", ":/data", ":"}) {
        INFO(wrong);
        CHECK(entry(wrong).is_null());
    }
}

TEST_CASE("a published port is written as DESIGN has it, with an address before it", "[cli]") {
    const auto entry = [](std::string_view text) { return publish_entry(text).value_or(json()); };
    CHECK(entry("8080") == json{{"host_port", 8080}});
    CHECK(entry("8080:80") == json{{"host_port", 8080}, {"jail_port", 80}});
    CHECK(entry("5353:53/udp") == json{{"host_port", 5353}, {"jail_port", 53}, {"protocol", "udp"}});
    CHECK(entry("8000-8010:9000-9010") == json{{"host_port", "8000-8010"}, {"jail_port", "9000-9010"}});
    CHECK(entry("192.0.2.1:8080:80") == json{{"host_address", "192.0.2.1"}, {"host_port", 8080}, {"jail_port", 80}});
    CHECK(entry("[2001:db8::1]:8080/tcp") ==
          json{{"host_address", "2001:db8::1"}, {"host_port", 8080}, {"protocol", "tcp"}});
    CHECK(entry("web") == json{{"host_port", "web"}});  // for the daemon to refuse, with its field
    for (const auto* wrong : {"", ":80", "80:", "1:2:3", "192.0.2.1", "[::1]", "[::1]80"}) {
        INFO(wrong);
        CHECK(entry(wrong).is_null());
    }
}

TEST_CASE("a dependency may say more than a name", "[cli]") {
    CHECK(dependency_entry("db") == json("db"));
    CHECK(dependency_entry("db:healthy") == json{{"jail", "db"}, {"condition", "healthy"}});
    CHECK(dependency_entry("db:started:restart") ==
          json{{"jail", "db"}, {"condition", "started"}, {"on_death", "restart"}});
    CHECK(dependency_entry("db:good") == json{{"jail", "db"}, {"condition", "good"}});  // for the daemon to refuse
    for (const auto* wrong : {"", ":healthy", "db:", "db::restart", "db:healthy:"})
        CHECK_FALSE(dependency_entry(wrong));
}

TEST_CASE("a restart policy may say how often", "[cli]") {
    CHECK(restart_value("always") == json("always"));
    CHECK(restart_value("on-failure:5") == json{{"policy", "on-failure"}, {"max_retries", 5}});
    CHECK(restart_value("always:many") == json{{"policy", "always"}, {"max_retries", "many"}});  // for the daemon
    CHECK_FALSE(restart_value(""));
    CHECK_FALSE(restart_value(":5"));
    CHECK_FALSE(restart_value("always:"));
}
