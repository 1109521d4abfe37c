#include "core/kernel/linux/etc_files.h"

#include <array>
#include <sstream>

namespace jaild::kernel::etc {

namespace {

struct Account {
    const char* name;
    unsigned id;  ///< user and group
    const char* home;
    const char* shell;  ///< nullptr: root's, which the caller knows
};

constexpr std::array kAccounts = std::to_array<Account>({{"root", 0, "/root", nullptr},
                                                         {"daemon", 1, "/usr/sbin", "/usr/sbin/nologin"},
                                                         {"bin", 2, "/bin", "/usr/sbin/nologin"},
                                                         {"sys", 3, "/dev", "/usr/sbin/nologin"},
                                                         {"mail", 8, "/var/mail", "/usr/sbin/nologin"},
                                                         {"nobody", 65534, "/nonexistent", "/usr/sbin/nologin"}});

struct Group {
    const char* name;
    unsigned id;
};

/// Numbers that Debian, Fedora and devpts(5) agree on.
constexpr std::array kGroups = std::to_array<Group>({{"root", 0},
                                                     {"daemon", 1},
                                                     {"bin", 2},
                                                     {"sys", 3},
                                                     {"adm", 4},
                                                     {"tty", 5},
                                                     {"disk", 6},
                                                     {"mail", 8},
                                                     {"utmp", 22},
                                                     {"users", 100},
                                                     {"nogroup", 65534}});

}  // namespace

std::string passwd(const std::string& root_shell) {
    std::ostringstream text;
    for (const Account& account : kAccounts)
        text << account.name << ":x:" << account.id << ':' << account.id << ':' << account.name << ':' << account.home
             << ':' << (account.shell ? account.shell : root_shell) << '\n';
    return text.str();
}

std::string group() {
    std::ostringstream text;
    for (const Group& one : kGroups) text << one.name << ":x:" << one.id << ":\n";
    return text.str();
}

std::string shadow() {
    std::ostringstream text;
    for (const Account& account : kAccounts) text << account.name << ":!*:19000:0:99999:7:::\n";
    return text.str();
}

std::string hostname(const RootParameters& parameters) {
    return parameters.hostname + '\n';
}

}  // namespace jaild::kernel::etc
