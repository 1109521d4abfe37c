#include <fcntl.h>
#include <signal.h>
#include <sys/param.h>
#include <sys/wait.h>
// after <sys/param.h>
#include <sys/mount.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/base/files.h"
#include "core/base/spawn.h"
#include "tests/host/eventually.h"
#include "tests/host/http.h"

/// create+start and stop+remove of one thin vnet jail, in turns with jail(8) starting and removing the same jail by the
/// usual recipe: a root of the same private files, the same nullfs mounts by mount.fstab, devfs, an epair that
/// exec.prestart makes and exec.poststop destroys, on a bridge, one IPv4 address and a default route. Neither runs
/// /etc/rc, unless --rc is given: what that takes is the same for both, and most of the time. Starts a jaild of its own
/// and leaves nothing behind. Prints medians and ratios. Needs root.
namespace jaild {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kName = "jaild-bench";  ///< jail(8)'s jail
constexpr const char* kPair = "epair31999";
constexpr const char* kBridge = "bridge31999";

/// What runs in the jail when it starts and stops: the address and the route are there already.
enum class Boot { none, rc };

std::string run_or_throw(const Argv& argv) {
    const auto done = run(argv, {.timeout = std::chrono::seconds(120)});
    if (!done) throw std::runtime_error(done.error().to_string());
    if (done->exit_code != 0) throw std::runtime_error(argv[0] + ' ' + argv[1] + ": " + done->error_output);
    return done->output;
}

/// A jaild on a state directory of its own; with its end its jails go, and their network.
class Jaild {
public:
    Jaild(const std::string& program, const fs::path& top) : top_(top), state_(top / "state") {
        fs::create_directory(state_);
        fs::permissions(state_, fs::perms::owner_all);
        std::ofstream(top / "jaild.toml") << "manage_forwarding = false\n";
        const int log = ::open((top / "jaild.log").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        const auto started = spawn({program, "--state-dir", state_, "--config", top / "jaild.toml"},
                                   {.standard_output = log, .standard_error = log});
        ::close(log);
        if (!started) throw std::runtime_error(started.error().to_string());
        pid_ = started->pid;
        const auto ready = [this] {
            const auto reply = test::http(socket(), "GET", "/readyz");
            return reply && reply->status == 200;
        };
        if (!test::eventually(ready, std::chrono::seconds(60))) throw std::runtime_error("jaild is not ready");
        mark_ = "jaild:" + ask("GET", "/v1/host").at("instance").get<std::string>() + ":";
    }
    ~Jaild() {
        try {
            for (const auto& jail : ask("GET", "/v1/jails").at("items"))
                ask("DELETE", "/v1/jails/" + jail.at("name").get<std::string>() + "?force=true");
            test::eventually(
                [this] {
                    return !run_or_throw({"ifconfig", "-a"}).contains(mark_);
                },
                std::chrono::seconds(60));
        } catch (const std::exception& error) {
            std::fprintf(stderr, "%s\n", error.what());
        }
        ::kill(pid_, SIGTERM);
        ::waitpid(pid_, nullptr, 0);
    }
    Jaild(const Jaild&) = delete;
    Jaild& operator=(const Jaild&) = delete;

    /// Waits for the end of the operation.
    json ask(const std::string& method, const std::string& path, const json& body = {}) const {
        const auto reply = test::http(socket(), method, path, body.is_null() ? "" : body.dump(), "Prefer: wait=60\r\n");
        if (!reply) throw std::runtime_error(reply.error().to_string());
        if (reply->status >= 202 && reply->status != 204)
            throw std::runtime_error(method + ' ' + path + ": " + reply->body);
        return reply->body.empty() ? json() : json::parse(reply->body);
    }
    [[nodiscard]] fs::path root_of_only_jail() const {
        return fs::directory_iterator(state_ / "jails")->path() / "root";
    }

private:
    [[nodiscard]] fs::path socket() const { return state_ / "jaild.sock"; }

    fs::path top_;
    fs::path state_;
    std::string mark_;
    pid_t pid_ = 0;
};

/// What jail.conf(5) needs to make a jail like the one that jaild made.
class Recipe {
public:
    /// `model`: the root of a jail that runs.
    Recipe(const fs::path& model, const fs::path& top, Boot boot) : root_(top / "root"), file_(top / "jail.conf") {
        const auto fstab = top / "fstab";
        write_fstab(model, fstab);
        std::ofstream(file_) << kName << " {\n"
                             << "  path = " << root_ << ";\n  host.hostname = " << kName << ";\n  persist;\n  vnet;\n"
                             << "  vnet.interface = " << kPair << "b;\n"
                             << "  mount.fstab = " << fstab << ";\n  mount.devfs;\n  devfs_ruleset = 5;\n"
                             << "  mount.fdescfs;\n"
                             << "  exec.prestart = \"/sbin/ifconfig " << kPair << " create up\";\n"
                             << "  exec.prestart += \"/sbin/ifconfig " << kBridge << " addm " << kPair << "a up\";\n"
                             << "  exec.start = \"/sbin/ifconfig lo0 127.0.0.1/8 up\";\n"
                             << "  exec.start += \"/sbin/ifconfig " << kPair << "b 192.0.2.2/24 up\";\n"
                             << "  exec.start += \"/sbin/route add default 192.0.2.1\";\n"
                             << (boot == Boot::rc ? "  exec.start += \"/bin/sh /etc/rc\";\n"
                                                    "  exec.stop = \"/bin/sh /etc/rc.shutdown jail\";\n"
                                                  : "")
                             << "  exec.poststop = \"/sbin/ifconfig " << kBridge << " deletem " << kPair << "a\";\n"
                             << "  exec.poststop += \"/sbin/ifconfig " << kPair << "a destroy\";\n}\n";
        run_or_throw({"ifconfig", kBridge, "create", "inet", "192.0.2.1/24", "up"});
    }
    ~Recipe() {
        (void)run({"jail", "-q", "-f", file_, "-r", kName});
        (void)run({"ifconfig", std::string(kPair) + "a", "destroy"});
        (void)run({"ifconfig", kBridge, "destroy"});
    }
    Recipe(const Recipe&) = delete;
    Recipe& operator=(const Recipe&) = delete;

    /// Its own files, without what is mounted there.
    void copy_files(const fs::path& model) const { run_or_throw({"cp", "-Rpx", model, root_}); }
    void start() const { run_or_throw({"jail", "-q", "-f", file_, "-c", kName}); }
    void remove() const { run_or_throw({"jail", "-q", "-f", file_, "-r", kName}); }

private:
    void write_fstab(const fs::path& model, const fs::path& fstab) const {
        struct statfs* mounts = nullptr;
        const int count = ::getmntinfo(&mounts, MNT_NOWAIT);
        std::ofstream file(fstab);
        for (int i = 0; i < count; ++i) {
            const std::string point = mounts[i].f_mntonname;
            if (std::string(mounts[i].f_fstypename) != "nullfs" || !point.starts_with(model.string() + "/")) continue;
            file << mounts[i].f_mntfromname << ' ' << root_.string() << point.substr(model.string().size())
                 << " nullfs ro 0 0\n";
        }
    }

    fs::path root_;
    fs::path file_;
};

/// Removed with all that is in it, and what is still mounted there first.
class Scratch {
public:
    Scratch() {
        std::string name = "/tmp/jaild-bench-XXXXXX";
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
        path = fs::canonical(name);
    }
    ~Scratch() {
        struct statfs* mounts = nullptr;
        for (int i = ::getmntinfo(&mounts, MNT_NOWAIT); i-- > 0;)
            if (std::string(mounts[i].f_mntonname).starts_with(path.string() + "/"))
                ::unmount(mounts[i].f_mntonname, MNT_FORCE);
        const auto parent = files::open_directory(path.parent_path());
        if (parent) (void)files::remove_tree(parent->get(), path.filename().string());
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    fs::path path;
};

/// Milliseconds of each turn of each thing that is measured.
class Figures {
public:
    void time(const std::string& what, const std::function<void()>& work) {
        const auto begin = std::chrono::steady_clock::now();
        work();
        values_[what].push_back(
            std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
    }
    void forget() { values_.clear(); }
    [[nodiscard]] double median(const std::string& what) const {
        auto sorted = values_.at(what);
        std::ranges::sort(sorted);
        return sorted[sorted.size() / 2];
    }
    void print() const {
        for (const auto& [what, all] : values_)
            std::printf("%-22s %8.1f ms   (min %.1f, max %.1f)\n", what.c_str(), median(what),
                        *std::ranges::min_element(all), *std::ranges::max_element(all));
    }

private:
    std::map<std::string, std::vector<double>> values_;
};

json spec(const std::string& name, Boot boot) {
    json made{{"name", name}};
    if (boot == Boot::rc)
        made["exec"] = {{"start", {"/bin/sh", "/etc/rc"}}, {"stop", {"/bin/sh", "/etc/rc.shutdown", "jail"}}};
    return made;
}

void measure(const std::string& program, int rounds, Boot boot) {
    const Scratch scratch;
    const Jaild jaild(program, scratch.path);
    jaild.ask("POST", "/v1/jails", spec("model", boot));
    const auto model = jaild.root_of_only_jail();
    const Recipe recipe(model, scratch.path, boot);
    recipe.copy_files(model);
    // It runs on: jaild's bridge is there all the time, as the recipe's is. The one that is started and stopped:
    jaild.ask("POST", "/v1/jails", spec("again", boot));
    jaild.ask("PATCH", "/v1/jails/again", {{"running", false}});

    Figures figures;
    for (int turn = 0; turn <= rounds; ++turn) {
        if (turn == 1) figures.forget();  // the first of each warms caches
        const auto name = "bench" + std::to_string(turn);
        figures.time("jaild create+start", [&] { jaild.ask("POST", "/v1/jails", spec(name, boot)); });
        figures.time("jaild stop+remove", [&] { jaild.ask("DELETE", "/v1/jails/" + name + "?force=true"); });
        figures.time("jail -c", [&] { recipe.start(); });
        figures.time("jail -r", [&] { recipe.remove(); });
        figures.time("jaild start", [&] { jaild.ask("PATCH", "/v1/jails/again", {{"running", true}}); });
        figures.time("jaild stop", [&] { jaild.ask("PATCH", "/v1/jails/again", {{"running", false}}); });
    }
    figures.print();
    const auto ratio = [&](const char* ours, const char* theirs) {
        std::printf("%s / %s: %.2f\n", ours, theirs, figures.median(ours) / figures.median(theirs));
    };
    ratio("jaild create+start", "jail -c");
    ratio("jaild stop+remove", "jail -r");
    ratio("jaild start", "jail -c");
    ratio("jaild stop", "jail -r");
}

}  // namespace
}  // namespace jaild

int main(int argc, char** argv) {
    CLI::App app{"start and removal of a thin vnet jail by jaild, in turns with jail(8)"};
    std::string program = "/usr/local/sbin/jaild";
    int rounds = 20;
    app.add_option("--jaild", program, "the program, by its absolute path")->envname("JAILD_BIN");
    app.add_option("--rounds", rounds, "how often, after one that does not count");
    bool rc = false;
    app.add_flag("--rc", rc, "let the jails of both run /etc/rc and /etc/rc.shutdown");
    CLI11_PARSE(app, argc, argv);
    try {
        jaild::measure(program, rounds, rc ? jaild::Boot::rc : jaild::Boot::none);
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "jaild-bench-start: %s\n", error.what());
        return 1;
    }
}
