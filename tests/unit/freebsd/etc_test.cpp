#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "core/kernel/freebsd/pure/etc_accounts.h"
#include "core/kernel/freebsd/pure/etc_allowed.h"
#include "tests/catch.h"

using namespace jaild::kernel;

namespace {

std::vector<std::vector<std::string>> fields(const std::string& text) {
    std::vector<std::vector<std::string>> all;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        auto& one = all.emplace_back(1);
        for (const char c : line) c == ':' ? static_cast<void>(one.emplace_back()) : one.back().push_back(c);
    }
    return all;
}

}  // namespace

TEST_CASE("the accounts of a FreeBSD jail are passwd(5)'s, locked, and each has its group", "[freebsd][etc]") {
    std::set<std::string> groups;
    std::set<std::string> names;
    for (const auto& group : fields(freebsd::group())) {
        REQUIRE(group.size() == 4);
        CHECK(groups.insert(group[2]).second);
        CHECK(names.insert(group[0]).second);
    }
    std::map<std::string, std::string> users;
    for (const auto& account : fields(freebsd::master_passwd())) {
        REQUIRE(account.size() == 10);
        INFO(account[0]);
        CHECK(account[1] == "*");
        CHECK(groups.contains(account[3]));
        CHECK(users.emplace(account[0], account[2]).second);
    }
    CHECK(freebsd::master_passwd().starts_with("root:*:0:0::0:0:root:/root:/bin/sh\n"));
    CHECK(users["nobody"] == "65534");
    // Whom BSD.var.dist gives directories to.
    for (const char* user : {"auditdistd", "daemon", "ntpd", "operator", "root", "unbound", "uucp"})
        CHECK(users.contains(user));
    for (const char* group :
         {"audit", "authpf", "daemon", "dialer", "games", "mail", "network", "ntpd", "operator", "unbound", "wheel"})
        CHECK(names.contains(group));
}

TEST_CASE("of the host's /etc a jail gets what is listed, and no secret is", "[freebsd][etc]") {
    const auto entries = freebsd::etc_entries();
    for (const char* secret : {"master.passwd", "spwd.db", "ssh", "rc.conf", "jail.conf", "pf.conf", "crontab", "fstab",
                               "resolv.conf", "hosts", "group", "wpa_supplicant.conf", "krb5.keytab", "ipsec.conf"})
        CHECK(std::ranges::find(entries, secret) == entries.end());
    CHECK(freebsd::etc_excludes("defaults/devfs.rules"));
    CHECK_FALSE(freebsd::etc_excludes("defaults/rc.conf"));
}

TEST_CASE("a link of /etc stays when it leads where the jail sees the same", "[freebsd][etc]") {
    using freebsd::etc_link_stays;
    CHECK(etc_link_stays("termcap", "/usr/share/misc/termcap"));
    CHECK(etc_link_stays("termcap", "../usr/share/misc/termcap.db"));
    CHECK(etc_link_stays("ssl/certs/0b1b94ef.0", "../../../usr/share/certs/trusted/CFCA_EV_ROOT.pem"));
    CHECK(etc_link_stays("rc.d/a", "b"));
    CHECK(etc_link_stays("ssl/cert.pem", "certs/all.pem"));
    for (const char* elsewhere : {"/usr/local/share/certs/ca-root-nss.crt", "../../usr/local/etc/ssl/cert.pem",
                                  "/etc/master.passwd", "../spwd.db", "/usr/share/../../root/.ssh/id_rsa", "/", "",
                                  "/usr/share", "../../../../../../../root/x", "/usr/sharefoo/x"}) {
        INFO(elsewhere);
        CHECK_FALSE(etc_link_stays("ssl/cert.pem", elsewhere));
    }
}
