#include "core/kernel/freebsd/pure/etc_accounts.h"

#include <array>

namespace jaild::kernel::freebsd {

namespace {

struct Account {
    const char* name;
    unsigned user;
    unsigned group;
    const char* home;
    const char* shell;
};

constexpr const char* kNone = "/nonexistent";
constexpr const char* kEmpty = "/var/empty";
constexpr const char* kNoLogin = "/usr/sbin/nologin";

/// FreeBSD 14 and 15; the numbers are stable from release to release.
constexpr std::array kAccounts = std::to_array<Account>({{"root", 0, 0, "/root", "/bin/sh"},
                                                         {"daemon", 1, 1, "/root", kNoLogin},
                                                         {"operator", 2, 5, "/", kNoLogin},
                                                         {"bin", 3, 7, "/", kNoLogin},
                                                         {"tty", 4, 65533, "/", kNoLogin},
                                                         {"kmem", 5, 65533, "/", kNoLogin},
                                                         {"games", 7, 13, "/", kNoLogin},
                                                         {"news", 8, 8, "/", kNoLogin},
                                                         {"man", 9, 9, "/usr/share/man", kNoLogin},
                                                         {"sshd", 22, 22, kEmpty, kNoLogin},
                                                         {"smmsp", 25, 25, "/var/spool/clientmqueue", kNoLogin},
                                                         {"mailnull", 26, 26, "/var/spool/mqueue", kNoLogin},
                                                         {"bind", 53, 53, "/", kNoLogin},
                                                         {"unbound", 59, 59, "/var/unbound", kNoLogin},
                                                         {"proxy", 62, 62, kNone, kNoLogin},
                                                         {"_pflogd", 64, 64, kEmpty, kNoLogin},
                                                         {"_dhcp", 65, 65, kEmpty, kNoLogin},
                                                         {"uucp", 66, 66, "/var/spool/uucppublic", kNoLogin},
                                                         {"pop", 68, 6, kNone, kNoLogin},
                                                         {"auditdistd", 78, 77, kEmpty, kNoLogin},
                                                         {"www", 80, 80, kNone, kNoLogin},
                                                         {"ntpd", 123, 123, "/var/db/ntp", kNoLogin},
                                                         {"_ypldap", 160, 160, kEmpty, kNoLogin},
                                                         {"hast", 845, 845, kEmpty, kNoLogin},
                                                         {"tests", 977, 977, kNone, kNoLogin},
                                                         {"nobody", 65534, 65534, kNone, kNoLogin}});

struct Group {
    const char* name;
    unsigned id;
    const char* members = "";
};

constexpr std::array kGroups = std::to_array<Group>(
    {{"wheel", 0, "root"}, {"daemon", 1},    {"kmem", 2},   {"sys", 3},       {"tty", 4},      {"operator", 5, "root"},
     {"mail", 6},          {"bin", 7},       {"news", 8},   {"man", 9},       {"games", 13},   {"ftp", 14},
     {"staff", 20},        {"sshd", 22},     {"smmsp", 25}, {"mailnull", 26}, {"guest", 31},   {"video", 44},
     {"realtime", 47},     {"idletime", 48}, {"bind", 53},  {"unbound", 59},  {"proxy", 62},   {"authpf", 63},
     {"_pflogd", 64},      {"_dhcp", 65},    {"uucp", 66},  {"dialer", 68},   {"network", 69}, {"audit", 77},
     {"www", 80},          {"u2f", 116},     {"ntpd", 123}, {"_ypldap", 160}, {"hast", 845},   {"tests", 977},
     {"nogroup", 65533},   {"nobody", 65534}});

}  // namespace

std::string master_passwd() {
    std::string text;
    for (const Account& one : kAccounts) {
        text += std::string(one.name) + ":*:" + std::to_string(one.user) + ":" + std::to_string(one.group) +
                "::0:0:" + one.name + ":" + one.home + ":" + one.shell + "\n";
    }
    return text;
}

std::string group() {
    std::string text;
    for (const Group& one : kGroups)
        text += std::string(one.name) + ":*:" + std::to_string(one.id) + ":" + one.members + "\n";
    return text;
}

std::string rc_conf() {
    return "# Written by jaild when this jail was made, and yours from then on.\n"
           "# Hostname, addresses and routes are set from outside: none of them belongs here.\n"
           "syslogd_flags=\"-ss\"\n"
           "sendmail_enable=\"NONE\"\n";
}

std::string fstab() {
    return "# What is mounted in this jail is mounted from outside.\n";
}

}  // namespace jaild::kernel::freebsd
