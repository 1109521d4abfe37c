#include "core/templates/updater.h"

#include <sys/stat.h>

#include <fstream>
#include <thread>

#include "core/templates/freebsd_updates.h"
#include "tests/unit/base/alive.h"
#include "tests/unit/base/playground.h"

using namespace jaild;
using namespace jaild::test;
using namespace std::chrono_literals;
namespace freebsd = templates::freebsd;

namespace {

/// `home`/root is the copy of a template, and a script of the test's own updates it.
class Updated {
public:
    explicit Updated(const std::string& script) {
        std::filesystem::create_directories(play_.home() / "root/etc");
        std::filesystem::create_directories(play_.home() / "root/var");
        std::ofstream(play_.home() / "root/etc/version") << "1\n";
        root_ = value_of(files::open_directory(play_.home() / "root"));
        std::ofstream(program()) << "#!/bin/sh\n" << script;
        ::chmod(program().c_str(), 0700);
        options.updater = {program(), "-x"};
    }

    Result<model::Template> run() {
        const auto from = named("1");
        return templates::update_tree(play_.home(), root_.get(), from, job, options);
    }
    [[nodiscard]] std::filesystem::path home() const { return play_.home(); }
    [[nodiscard]] std::string content(const std::string& file) const {
        return value_of(files::read(play_.home() / file, 4096));
    }
    [[nodiscard]] bool said(const std::string& step) const {
        const auto steps = job.steps();
        return std::ranges::find(steps, step) != steps.end();
    }
    static model::Template named(const std::string& version) {
        return {.id = TemplateId{7},
                .name = *model::Name::parse("base"),
                .version = version,
                .description = {},
                .source = {},
                .private_parts = {},
                .sets = {},
                .created_at = {}};
    }

    templates::Options options{};
    templates::Job job{named("2")};

private:
    [[nodiscard]] std::filesystem::path program() const { return play_.outside() / "updater"; }
    Playground play_;
    UniqueFd root_;
};

}  // namespace

TEST_CASE("an updater changes the tree and is told what it needs", "[templates][update]") {
    Updated update(
        "echo 22 >$JAILD_ROOT/etc/version; mkdir $JAILD_WORK/x\n"
        "echo \"$1 $(basename $2) $(stat -c %a $JAILD_WORK) $JAILD_FROM $JAILD_TO\"\n"
        "[ \"$2\" = $JAILD_ROOT ] && [ ! -t 0 ] && ! read line && echo fine >&2\n");
    const auto done = value_of(update.run());
    CHECK(update.content("root/etc/version") == "22\n");
    CHECK((done.version == "2" && done.bytes == 3 && done.entries == 4));
    CHECK(update.said("said: -x root 700 base:1 base:2"));
    CHECK(update.said("said: fine"));
    CHECK_FALSE(std::filesystem::exists(update.home() / "work"));
}

TEST_CASE("an updater that changes nothing but /var makes no version", "[templates][update]") {
    Updated update("echo new >$JAILD_ROOT/var/catalogue; echo x >$JAILD_ROOT/etc/tmp; rm $JAILD_ROOT/etc/tmp");
    const auto done = update.run();
    REQUIRE_FALSE(done);
    CHECK((done.error().code == Errc::conflict && done.error().reason == "template_up_to_date"));
}

TEST_CASE("an updater that fails is quoted", "[templates][update]") {
    Updated update("echo 22 >$JAILD_ROOT/etc/version; echo one; echo; echo 'no \033[1m such host' >&2; exit 3");
    const auto done = update.run();
    REQUIRE_FALSE(done);
    CHECK((done.error().code == Errc::invalid && done.error().reason == "update_failed"));
    CHECK(done.error().detail == "the updater: exit code 3: one; no \\x1b[1m such host");
}

TEST_CASE("an updater that finds the disk full says so", "[templates][update]") {
    Updated update("echo \"cp: x: No space left on device\"; exit 1");
    const auto done = update.run();
    REQUIRE_FALSE(done);
    CHECK((done.error().code == Errc::exhausted && done.error().reason == "disk_full"));
}

TEST_CASE("an updater that does not come to an end is killed with what it started", "[templates][update]") {
    Alive alive;
    Updated update("exec 5>" + alive.path() + "; sleep 600 & echo slow; wait");
    update.options.longest_update = 500ms;
    const auto done = update.run();
    REQUIRE_FALSE(done);
    CHECK((done.error().code == Errc::busy && done.error().reason == "update_timeout"));
    CHECK(done.error().detail.ends_with(": slow"));
    CHECK(alive.wait_for_end().empty());
}

TEST_CASE("an update that is cancelled ends its updater, and shows what that said until then", "[templates][update]") {
    Updated update("echo waiting; sleep 600");
    std::thread cancel([&] {
        while (update.job.progress().value_or(model::Progress{}).item != "waiting") std::this_thread::yield();
        update.job.interrupt();
    });
    const auto done = update.run();
    cancel.join();
    REQUIRE_FALSE(done);
    CHECK(done.error().reason == "interrupted");
    CHECK(update.job.progress()->phase == "updating");
}

TEST_CASE("an updated tree keeps to the bounds of a template", "[templates][update]") {
    Updated update("echo 22 >$JAILD_ROOT/etc/version; touch $JAILD_ROOT/etc/more");
    SECTION("bytes") {
        update.options.max_bytes = 2;
        const auto done = update.run();
        REQUIRE_FALSE(done);
        CHECK(done.error().reason == "template_too_large");
    }
    SECTION("entries") {
        update.options.max_entries = 4;
        const auto done = update.run();
        REQUIRE_FALSE(done);
        CHECK(done.error().reason == "too_many_entries");
    }
    SECTION("just so") {
        update.options.max_bytes = 3;
        update.options.max_entries = 5;
        CHECK(update.run());
    }
}

TEST_CASE("a program that is not there is told of", "[templates][update]") {
    Updated update("");
    update.options.updater = {"/nonexistent/updater"};
    const auto done = update.run();
    REQUIRE_FALSE(done);
    CHECK(done.error().reason == "update_failed");
    CHECK(done.error().detail.contains("/nonexistent/updater"));
}

#ifdef __linux__
TEST_CASE("a system without an updater of its own needs one in the configuration", "[templates][update]") {
    const auto missing = templates::check_updater({});
    REQUIRE_FALSE(missing);
    CHECK((missing.error().code == Errc::unsupported && missing.error().reason == "updates_unavailable"));
    CHECK(missing.error().remedy.contains("template_update"));
}

TEST_CASE("an updater that leaves something mounted makes no version", "[templates][update]") {
    if (!is_root()) return;
    Updated update("mount -t tmpfs tmpfs $JAILD_ROOT/var");
    const auto done = update.run();
    CHECK(::umount((update.home() / "root/var").c_str()) == 0);
    REQUIRE_FALSE(done);
    CHECK((done.error().code == Errc::conflict && done.error().reason == "mount_beneath"));
}
#endif

TEST_CASE("the release of a FreeBSD tree is what its freebsd-version says", "[templates][freebsd]") {
    CHECK(value_of(freebsd::userland_version("#!/bin/sh\n\nset -e\n\nUSERLAND_VERSION=\"14.2-RELEASE-p1\"\n\n: x\n")) ==
          "14.2-RELEASE-p1");
    CHECK(value_of(freebsd::userland_version("USERLAND_VERSION=15.0-BETA2")) == "15.0-BETA2");
    for (const char* script : {"", "#!/bin/sh\necho USERLAND_VERSION=\"14.2-RELEASE\"\n", "USERLAND_VERSION=\"\"",
                               "USERLAND_VERSION=\"14.2 -b /\"", "USERLAND_VERSION=\"$(id)\"", "USERLAND_VERSION=-b"}) {
        INFO(script);
        const auto none = freebsd::userland_version(script);
        REQUIRE_FALSE(none);
        CHECK((none.error().code == Errc::unsupported && none.error().reason == "release_unknown"));
    }
}

TEST_CASE("FreeBSD's updaters are run on the tree, never on the host", "[templates][freebsd]") {
    CHECK(freebsd::freebsd_update("/t/root", "/t/work", "14.2-RELEASE-p1") ==
          Argv{"freebsd-update", "-b", "/t/root", "-d", "/t/work", "--not-running-from-cron", "--currently-running",
               "14.2-RELEASE-p1", "fetch", "install"});
    CHECK(freebsd::pkgbase_upgrade("/t/root") == Argv{"pkg", "-r", "/t/root", "upgrade", "-y", "-r", "FreeBSD-base"});
    CHECK(freebsd::find_pkgbase("/t/root") == Argv{"pkg", "-r", "/t/root", "which", "-q", "/usr/bin/uname"});
}
