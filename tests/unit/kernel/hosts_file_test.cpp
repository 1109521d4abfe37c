#include "core/kernel/roots/hosts_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "core/base/files.h"
#include "core/kernel/roots/etc_text.h"
#include "tests/results.h"
#include "tests/temp_directory.h"

using namespace jaild;
using namespace jaild::test;
namespace hosts_file = jaild::kernel::hosts_file;

namespace {

kernel::RootParameters web() {
    return {.id = JailId{1},
            .name = value_of(model::Name::parse("web")),
            .root = {},
            .template_name = "host",
            .hostname = "web.example",
            .addresses = {value_of(Prefix::parse("10.213.0.2/24")), value_of(Prefix::parse("fd00::2/64"))},
            .nameservers = {},
            .search = {},
            .neighbours = {{.address = value_of(IpAddress::parse("10.213.0.3")), .names = {"db", "db.default.jaild"}},
                           {.address = value_of(IpAddress::parse("fd00::3")), .names = {"db", "db.default.jaild"}}}};
}

struct Etc {
    TempDirectory directory;
    UniqueFd held = value_of(files::open_directory(directory.path()));

    void put(const std::string& text) const { value_of(files::write_atomic(held.get(), "hosts", text, 0644)); }
    [[nodiscard]] std::string hosts() const { return value_of(files::read(held.get(), "hosts", 4 << 20)); }
    [[nodiscard]] ino_t inode() const {
        struct stat seen {};
        REQUIRE(::fstatat(held.get(), "hosts", &seen, AT_SYMLINK_NOFOLLOW) == 0);
        REQUIRE(S_ISREG(seen.st_mode));
        return seen.st_ino;
    }
};

}  // namespace

TEST_CASE("hosts has localhost, the jail itself and its neighbours between two marks", "[hosts]") {
    CHECK(hosts_file::block(web()) ==
          "# jaild keeps the lines from here on; write your own outside of them.\n"
          "127.0.0.1\tlocalhost\n"
          "::1\tlocalhost ip6-localhost ip6-loopback\n"
          "10.213.0.2\tweb.example web\n"
          "fd00::2\tweb.example web\n"
          "10.213.0.3\tdb db.default.jaild\n"
          "fd00::3\tdb db.default.jaild\n"
          "# End of jaild's lines.\n");
}

TEST_CASE("in the host's network stack a jail has the host's names and its own", "[hosts]") {
    auto shared = web();
    shared.mode = model::NetworkMode::inherit;
    shared.addresses.clear();
    shared.neighbours.clear();
    const std::string begin = "# jaild keeps the lines from here on; write your own outside of them.\n";
    const std::string end = "127.0.0.1\tweb.example web\n# End of jaild's lines.\n";
    CHECK(hosts_file::block(shared, "127.0.0.1 localhost\n192.0.2.1 mail") ==
          begin + "127.0.0.1 localhost\n192.0.2.1 mail\n" + end);
    // A mark in there would tear our lines apart.
    CHECK(hosts_file::block(shared, begin + "192.0.2.1 mail\n# End of jaild's lines.\n") ==
          begin + "192.0.2.1 mail\n" + end);
    CHECK(hosts_file::block(shared) ==
          begin + "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n" + end);
}

TEST_CASE("in the host's network stack resolv.conf is the host's but for what the spec says", "[hosts][resolv]") {
    const std::string host = "# by hand\nnameserver 127.0.0.53\noptions edns0\nsearch lan\n";
    const std::vector<IpAddress> server{value_of(IpAddress::parse("192.0.2.53"))};
    const std::string notice = "# Written by jaild at each start of this jail.\n";
    CHECK(kernel::etc::shared_resolv_conf(host, {}, {}) == host);
    CHECK(kernel::etc::shared_resolv_conf(host, server, {}) ==
          notice + "nameserver 192.0.2.53\n# by hand\noptions edns0\nsearch lan\n");
    CHECK(kernel::etc::shared_resolv_conf(host, {}, {"a.example", "b.example"}) ==
          notice + "search a.example b.example\n# by hand\nnameserver 127.0.0.53\noptions edns0\n");
}

TEST_CASE("what the jail's root wrote around our lines stays as it is", "[hosts]") {
    auto parameters = web();
    const auto old = hosts_file::block(parameters);
    parameters.neighbours.clear();
    const auto now = hosts_file::block(parameters);
    REQUIRE(old != now);
    CHECK(hosts_file::merged("", now) == now);
    CHECK(hosts_file::merged(old, now) == now);
    CHECK(hosts_file::merged("192.0.2.1 a\n" + old + "192.0.2.2 b", now) == "192.0.2.1 a\n" + now + "192.0.2.2 b");
    CHECK(hosts_file::merged("192.0.2.1 a\n", now) == now + "192.0.2.1 a\n");
    // Without the last mark nobody knows where ours end.
    const auto torn = old.substr(0, old.size() / 2);
    CHECK(hosts_file::merged(torn, now) == now + torn);
    // A mark within a line is none.
    CHECK(hosts_file::merged("x" + old, now) == now + "x" + old);
    // What an earlier version wrote was all its own.
    CHECK(hosts_file::merged("# Written by jaild at each start of this jail.\n127.0.0.1\tlocalhost\n", now) == now);
}

TEST_CASE("hosts is written once, and replaces what cannot be one", "[hosts]") {
    const Etc etc;
    value_of(hosts_file::write(etc.held.get(), web()));
    const auto text = etc.hosts();
    CHECK(text == hosts_file::block(web()));
    const auto first = etc.inode();
    value_of(hosts_file::write(etc.held.get(), web()));
    CHECK(etc.inode() == first);

    etc.put(text + "192.0.2.1 mine\n");
    auto changed = web();
    changed.neighbours.clear();
    value_of(hosts_file::write(etc.held.get(), changed));
    CHECK(etc.hosts() == hosts_file::block(changed) + "192.0.2.1 mine\n");

    etc.put(text + std::string(hosts_file::kLimit, '#'));
    value_of(hosts_file::write(etc.held.get(), web()));
    CHECK(etc.hosts() == text);
}

TEST_CASE("hosts that leads elsewhere is replaced, and nothing else is touched", "[hosts][hostile]") {
    const Etc etc;
    const TempDirectory outside;
    const auto victim = outside.path() / "victim";
    value_of(files::write_atomic(victim, "precious", 0600));
    REQUIRE(::symlinkat(victim.c_str(), etc.held.get(), "hosts") == 0);
    value_of(hosts_file::write(etc.held.get(), web()));
    CHECK(etc.hosts() == hosts_file::block(web()));
    CHECK(value_of(files::read(victim, 100)) == "precious");

    REQUIRE(::unlinkat(etc.held.get(), "hosts", 0) == 0);
    REQUIRE(::mkfifoat(etc.held.get(), "hosts", 0644) == 0);
    value_of(hosts_file::write(etc.held.get(), web()));
    CHECK(etc.hosts() == hosts_file::block(web()));

    // A jail's /etc may itself be a link by now.
    const TempDirectory root;
    const auto held = value_of(files::open_directory(root.path()));
    REQUIRE(::symlinkat(etc.directory.path().c_str(), held.get(), "etc") == 0);
    CHECK_FALSE(hosts_file::write_beneath(held.get(), web()));
    CHECK(etc.hosts() == hosts_file::block(web()));
}
