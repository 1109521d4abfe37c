#include "tests/host/hostile_root.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <iterator>
#include <new>

#include "tests/catch.h"
#include "tests/host/text_files.h"

namespace jaild::test {
namespace {

namespace fs = std::filesystem;

/// What takes whose place; what is exchanged within a directory that is a link by now leads nowhere in this root.
struct Pair {
    const char* one;
    const char* other;
    enum class Other { link, climbing_link, fifo, file, directory } kind;
};

constexpr Pair kPairs[] = {
    {"etc", "etc.other", Pair::Other::link},
    {"etc/hosts", "etc/hosts.other", Pair::Other::link},
    {"srv", "srv.other", Pair::Other::link},
    {"etc/hostname", "etc/hostname.other", Pair::Other::link},
    {"srv/data", "srv/data.other", Pair::Other::link},
    {"var/db", "var/db.other", Pair::Other::climbing_link},
    {"etc/resolv.conf", "etc/resolv.conf.other", Pair::Other::fifo},
    {"var/db/sub", "sub", Pair::Other::directory},
    {"etc", "etc.other", Pair::Other::link},
    {"usr", "usr.other", Pair::Other::climbing_link},
    {"etc/conf.d", "etc/conf.d.other", Pair::Other::link},
    {"usr/bin", "usr/bin.other", Pair::Other::file},
    {"srv", "srv.other", Pair::Other::link},
    {"var/log/file", "var/log/file.other", Pair::Other::fifo},
    {"dev", "dev.other", Pair::Other::link},
    {"var", "var.other", Pair::Other::link},
    {"etc/motd", "etc/motd.other", Pair::Other::link},
    {"tmp", "usr/lib", Pair::Other::directory},
};

constexpr std::uint64_t kWithoutPause = 5;
constexpr std::uint64_t kLongestPause = 1'500;  // microseconds

bool exchange(const char* one, const char* other) {
#ifdef __linux__
    return ::renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE) == 0;
#else
    if (::rename(one, "between") != 0) return false;
    const bool first = ::rename(other, one) == 0;
    return ::rename("between", first ? other : one) == 0 && first;
#endif
}

/// Somebody removes them all the while: here they are again.
void make_again() {
    for (const char* directory : {"etc", "etc/conf.d", "srv", "srv/data", "usr", "usr/bin", "sub", "sub/deep"})
        ::mkdir(directory, 0755);
    for (const char* link : {"etc.other", "srv.other"}) static_cast<void>(::symlink("sub", link));
}

}  // namespace

struct Attacker::Board {
    std::atomic<std::uint64_t> exchanges = 0;
    std::atomic<bool> entered = false;
    std::atomic<bool> stop = false;
};

void make_hostile_root(const fs::path& root, const fs::path& outside) {
    for (const char* directory : {"etc/conf.d", "srv/data", "srv/tmp", "usr/bin", "usr/lib", "var/db/sub", "var/log",
                                  "dev", "proc", "sys", "tmp", "sub/deep"})
        fs::create_directories(root / directory);
    for (const char* file : {"etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/motd", "etc/service.conf",
                             "etc/conf.d/a", "etc/conf.d/b", "srv/data/file", "usr/bin/sh", "usr/bin/tool",
                             "usr/lib/library", "var/db/sub/one", "var/db/sub/two", "var/log/file", "sub/deep/file"})
        write_file(root / file, "of the jail\n");
    fs::path up;
    for (auto depth = std::distance(root.begin(), root.end()) + 4; depth > 0; --depth) up /= "..";
    for (const auto& pair : kPairs) {
        const auto other = root / pair.other;
        if (fs::exists(fs::symlink_status(other))) continue;
        if (pair.kind == Pair::Other::link) fs::create_symlink(outside / pair.one, other);
        if (pair.kind == Pair::Other::climbing_link) fs::create_symlink(up / outside.relative_path() / pair.one, other);
        if (pair.kind == Pair::Other::fifo) REQUIRE(::mkfifo(other.c_str(), 0644) == 0);
        if (pair.kind == Pair::Other::file) write_file(other, "of the jail\n");
    }
}

Attacker::Attacker(const fs::path& root) {
    void* const memory = ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    board_ = new (memory) Board;
    const pid_t tests = ::getpid();
    process_ = ::fork();
    REQUIRE(process_ >= 0);
    if (process_ == 0) {
        if (::chroot(root.c_str()) != 0 || ::chdir("/") != 0) ::_exit(1);
        board_->entered = true;
        std::uint64_t pass = 0;
        // Also when the tests were killed.
        while (!board_->stop && ::getppid() == tests) {
            std::uint64_t done = 0;
            for (const auto& pair : kPairs) done += exchange(pair.one, pair.other) ? 1 : 0;
            board_->exchanges += done;
            if (done == 0) make_again();
            // A pause now and then, of another length each time: what never gets anywhere proves nothing.
            if (++pass % kWithoutPause == 0) ::usleep(static_cast<useconds_t>(pass * 37 % kLongestPause));
        }
        ::_exit(0);
    }
    while (!board_->entered && ::waitpid(process_, nullptr, WNOHANG) == 0) ::sched_yield();
    REQUIRE(board_->entered);
}

Attacker::~Attacker() {
    board_->stop = true;
    int status = -1;
    const bool ended = ::waitpid(process_, &status, 0) == process_;
    ::munmap(board_, sizeof *board_);
    CHECK(ended);
    CHECK(status == 0);
}

std::uint64_t Attacker::exchanges() const {
    return board_->exchanges;
}

}  // namespace jaild::test
