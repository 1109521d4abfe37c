#include "tests/host/hostile_root.h"

#include <fcntl.h>

#include <fstream>
#include <map>

#include "core/base/files.h"
#include "core/kernel/kernel.h"
#include "core/kernel/roots/jail_tree.h"
#include "core/templates/archive_program.h"
#include "tests/host/daemon.h"
#include "tests/host/guarded_tree.h"
#include "tests/host/test_host.h"
#include "tests/results.h"

#ifdef __linux__
#include <sys/mount.h>
#endif

/// Everything that jaild does in a jail's root, in ten thousand rounds all told, while the jail's root user exchanges
/// what is there with links that lead out of it. What comes of a round may be an error; nothing beyond the root may be
/// read, written, removed or mounted on, and at the end everything can be done as ever.
namespace jaild::test {
namespace {

namespace fs = std::filesystem;

constexpr JailId kAttacked{1};
constexpr TemplateId kOlder{5};
constexpr TemplateId kNewer{6};
constexpr archive::Limits kUnbounded{.bytes = 1U << 30, .entries = 100'000};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kSlower = 10;
#else
constexpr int kSlower = 1;
#endif

/// Ten thousand; a tenth of them with a sanitizer.
constexpr int kMounts = 2'000 / kSlower;
constexpr int kRefreshes = 1'500 / kSlower;
constexpr int kHosts = 2'500 / kSlower;
constexpr int kSnapshots = 900 / kSlower;
constexpr int kExports = 300 / kSlower;
constexpr int kUpgrades = 400 / kSlower;
constexpr int kTemplates = 900 / kSlower;
constexpr int kRemovals = 1'500 / kSlower;
static_assert(kMounts + kRefreshes + kHosts + kSnapshots + kExports + kUpgrades + kTemplates + kRemovals ==
              10'000 / kSlower);

/// A state directory with two versions of a template, a jail that means harm, and what it would like to reach.
class Hostile {
public:
    Hostile() {
        for (const auto id : {kOlder, kNewer}) make_hostile_root(tree(id), outside.path());
        std::ofstream(tree(kNewer) / "etc/service.conf") << "of the newer template\n";
        std::ofstream(tree(kNewer) / "usr/bin/tool") << "of the newer template\n";
        make_hostile_root(root(), outside.path());
        fs::create_directories(shared());
    }

    [[nodiscard]] const fs::path& state() const { return state_; }
    /// A directory of the host that its jails may have mounted.
    [[nodiscard]] fs::path shared() const { return host_.state_directory() / "shared"; }
    [[nodiscard]] fs::path jail(JailId id = kAttacked) const { return state_ / "jails" / std::to_string(id.value); }
    [[nodiscard]] fs::path root(JailId id = kAttacked) const { return jail(id) / "root"; }
    [[nodiscard]] fs::path tree(TemplateId id) const {
        return state_ / "templates" / std::to_string(id.value) / "root";
    }
    [[nodiscard]] kernel::RootParameters parameters(const std::string& hostname) const {
        return {.id = kAttacked,
                .name = value_of(model::Name::parse("hostile")),
                .root = {.kind = model::RootKind::copy, .path = {}},
                .template_name = "small:1",
                .hostname = hostname,
                .addresses = {value_of(Prefix::parse("192.0.2.7/24"))},
                .nameservers = {value_of(IpAddress::parse("192.0.2.53"))},
                .search = {},
                .base = model::JailBase{.id = kOlder, .private_parts = {}}};
    }

    /// So many rounds of `work` under attack. One may end with an error, but not all: on a busy machine more are tried
    /// until one succeeds.
    template <class Work>
    void attack(int rounds, Work work) {
        std::uint64_t exchanges = 0;
        int successes = 0;
        {
            const Attacker attacker(root());
            constexpr int kPatience = 20;
            for (int round = 0; round < rounds || (successes == 0 && round < kPatience * rounds); ++round)
                count(work(round), successes);
            exchanges = attacker.exchanges();
        }
        check(rounds, successes, exchanges);
    }
    void count(const Result<void>& done, int& successes) {
        successes += done ? 1 : 0;
        if (!done)
            ++errors_[std::string(done.error().op) + ": " + std::string(done.error().name()) + " " +
                      done.error().detail];
    }
    void check(int rounds, int successes, std::uint64_t exchanges) {
        std::string said;
        for (const auto& [error, times] : errors_) said += std::to_string(times) + " times " + error + "\n";
        INFO(successes << " of " << rounds << " succeeded, among " << exchanges << " exchanges\n" << said);
        CHECK(successes > 0);
        CHECK(exchanges > static_cast<std::uint64_t>(rounds));
        CHECK(outside.changes() == std::vector<std::string>());
    }
    void nothing_carried_to(const fs::path& copy) {
        const auto carried = GuardedTree::carried_to(copy);
        if (!carried.empty()) FAIL_CHECK(carried.front() << " is of the host");
    }

private:
    struct Place {
        explicit Place(const TestHost& host) : path(host.state_directory() / "state") {
            fs::create_directories(path);
#ifdef __linux__
            // In memory: a round must not wait for a disk. What is guarded lies there too, so that no step out of the
            // root is noticed by its file system alone. Unmounted with the test host.
            REQUIRE(::mount("tmpfs", path.c_str(), "tmpfs", 0, "mode=0700") == 0);
#endif
        }
        fs::path path;
    };
    [[nodiscard]] kernel::DriverOptions options() const {
        auto options = host_.options();
        options.state_directory = state_;
        options.helper_directory = fs::path(jaild_program()).parent_path();
        return options;
    }
    static Result<std::unique_ptr<kernel::Kernel>> make_kernel(const kernel::DriverOptions& options) {
#ifdef __linux__
        return kernel::make_linux_kernel(options);
#else
        return kernel::make_freebsd_kernel(options);
#endif
    }

    TestHost host_;
    fs::path state_ = Place(host_).path;
    std::map<std::string, int> errors_{};

public:
    GuardedTree outside{state_ / "outside"};
    std::unique_ptr<kernel::Kernel> kernel = value_of(make_kernel(options()));
    templates::ArchiveProgram archives{fs::path(jaild_program()).parent_path() / "jaild-archive"};
};

template <class T>
Result<void> whether(const Result<T>& done) {
    if (!done) return std::unexpected(done.error());
    return {};
}

UniqueFd opened(const fs::path& directory) {
    return value_of(files::open_directory(directory));
}

/// A new empty directory in place of what was there.
UniqueFd anew(const fs::path& directory) {
    value_of(files::remove_tree(opened(directory.parent_path()).get(), directory.filename()));
    fs::create_directories(directory);
    return opened(directory);
}

}  // namespace

TEST_CASE("a guarded tree sees what is done to it", "[host][attack]") {
    Hostile test;
    const auto& outside = test.outside.path();
    std::string expected;
    SECTION("a file is read") {
        expected = "read";
        std::string text;
        std::ifstream(outside / "etc/hosts") >> text;
        CHECK(text == "of");
    }
    SECTION("a file is written") {
        expected = "another size";
        std::ofstream(outside / "etc/hosts", std::ios::app) << "x";
    }
    SECTION("a file is removed") {
        expected = "gone";
        fs::remove(outside / "etc/hosts");
    }
    SECTION("a file is made") {
        expected = "new";
        std::ofstream(outside / "etc/hosts.new") << "x";
    }
    SECTION("a mode is changed") {
        expected = "another mode";
        fs::permissions(outside / "etc/hosts", fs::perms::all);
    }
    std::string changes;
    for (const auto& change : test.outside.changes()) changes += change + "\n";
    CHECK(changes.contains("/etc/hosts"));
    CHECK(changes.contains(expected));
    CHECK_FALSE(test.outside.is_covered());
}

TEST_CASE("mounts into a root under attack stay beneath it", "[host][mounts][attack]") {
    Hostile test;
    auto& mounts = test.kernel->mounts();
    for (const auto& mount : value_of(test.kernel->roots().mounts(test.parameters("web"))))
        value_of(mounts.mount(kAttacked, mount));
    const auto clear = [&](std::size_t but) {
        Result<void> done;
        const auto all = value_of(mounts.list(kAttacked));
        for (auto i = all.size(); i > but; --i)
            if (auto gone = mounts.unmount(kAttacked, all[i - 1].target); !gone) done = gone;
        return done;
    };
    const auto own = value_of(mounts.list(kAttacked)).size();
    int covered = 0;
    test.attack(kMounts, [&](int round) {
        const kernel::Mount bind{.source = test.shared(),
                                 .target = round % 3 == 0 ? "root/srv/data/made/here" : "root/srv/data",
                                 .read_only = round % 2 == 0,
                                 .of_spec = true,
                                 .own_root = true};
        auto done = mounts.mount(kAttacked, bind);
        const auto tmpfs = mounts.mount(
            kAttacked,
            {.kind = kernel::MountKind::tmpfs, .target = "root/var/db/sub", .own_root = true, .size = {65536}});
        if (!done && tmpfs) done = tmpfs;
        covered += test.outside.is_covered() ? 1 : 0;
        static_cast<void>(clear(own));
        return done;
    });
    CHECK(covered == 0);
    value_of(clear(0));
    CHECK(value_of(mounts.list(kAttacked)).empty());
    CHECK(fs::is_empty(test.shared()));
}

TEST_CASE("what is written into a root under attack stays in it", "[host][roots][attack]") {
    Hostile test;
    auto& roots = test.kernel->roots();
    test.attack(kRefreshes, [&](int round) { return roots.refresh(test.parameters("web" + std::to_string(round))); });
    test.nothing_carried_to(test.root());
    value_of(roots.refresh(test.parameters("last")));
}

TEST_CASE("hosts of a jail that attacks are its own", "[host][roots][attack]") {
    Hostile test;
    auto& roots = test.kernel->roots();
    test.attack(kHosts, [&](int round) { return roots.write_hosts(test.parameters("web" + std::to_string(round))); });
    test.nothing_carried_to(test.root());
}

TEST_CASE("a snapshot of a root under attack has nothing of elsewhere", "[host][snapshots][attack]") {
    Hostile test;
    auto& snapshots = test.kernel->snapshots();
    test.attack(kSnapshots, [&](int round) {
        const kernel::SnapshotKey key{.jail = kAttacked, .id = SnapshotId{round + 1}};
        const auto taken = snapshots.take(key, {});
        if (taken) test.nothing_carried_to(test.jail() / "snapshots" / std::to_string(key.id.value));
        value_of(snapshots.remove(key));
        return whether(taken);
    });
    CHECK(fs::is_empty(test.jail() / "snapshots"));
}

TEST_CASE("an archive of a root under attack has nothing of elsewhere", "[host][export][attack]") {
    Hostile test;
    const auto file = test.state() / "archive";
    const auto target = test.state() / "unpacked";
    const auto ignore = [](const archive::Report&) {};
    const auto never = [] { return false; };
    test.attack(kExports, [&](int) {
        const UniqueFd to(::open(file.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
        auto packed = test.archives.pack(opened(test.root()).get(), "{}", to.get(), ignore, never);
        if (!packed) return whether(packed);
        REQUIRE(::lseek(to.get(), 0, SEEK_SET) == 0);
        const auto accept = [&](const std::string&) -> Result<void> {
            fs::create_directory(target / "root");
            return {};
        };
        value_of(test.archives.unpack_jail(to.get(), anew(target).get(), kUnbounded, accept, ignore, never));
        test.nothing_carried_to(target);
        return whether(packed);
    });
}

TEST_CASE("an upgrade of a root under attack changes nothing elsewhere", "[host][upgrade][attack]") {
    Hostile test;
    auto& upgrades = test.kernel->root_upgrades();
    test.attack(kUpgrades, [&](int round) {
        const bool newer = round % 2 == 0;
        return whether(upgrades.upgrade({.jail = kAttacked,
                                         .kind = model::RootKind::copy,
                                         .from = newer ? kOlder : kNewer,
                                         .to = {.id = newer ? kNewer : kOlder, .private_parts = {}},
                                         .mark = SnapshotId{round + 1}}));
    });
    test.nothing_carried_to(test.jail());
}

TEST_CASE("a template of a root under attack has nothing of elsewhere", "[host][template][attack]") {
    Hostile test;
    const auto target = test.state() / "template";
    test.attack(kTemplates, [&](int) {
        const auto into = anew(target);
        const auto root = opened(test.root());
        auto copied = kernel::jail_tree::copy({.root = root.get()}, into.get(), {});
        if (copied) value_of(kernel::jail_tree::forget_identity(into.get()));
        test.nothing_carried_to(target);
        return whether(copied);
    });
}

TEST_CASE("the removal of a root under attack removes nothing else", "[host][roots][attack]") {
    Hostile test;
    auto& roots = test.kernel->roots();
    int removed = 0;
    std::uint64_t exchanges = 0;
    for (int round = 0; round < kRemovals; ++round) {
        const JailId id{round + 2};
        make_hostile_root(test.root(id), test.outside.path());
        const Attacker attacker(test.root(id));
        test.count(roots.remove(id), removed);
        exchanges += attacker.exchanges();
    }
    test.check(kRemovals, removed, exchanges);
    for (const auto id : value_of(roots.list())) value_of(roots.remove(id));
    CHECK(fs::is_empty(test.state() / "jails"));
}

}  // namespace jaild::test
