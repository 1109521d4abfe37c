#include "core/templates/updater.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <deque>
#include <set>

#include "core/base/files.h"
#include "core/base/spawn.h"
#include "core/base/tree_mark.h"
#include "core/templates/archive/entry_rules.h"
#include "core/templates/freebsd_updates.h"

namespace jaild::templates {
namespace {

constexpr std::size_t kLastLines = 16;  ///< of what it said, kept with the operation
constexpr std::size_t kLastWords = 3;   ///< of these, told with a failure
constexpr std::size_t kOutputBytes = 65'536;
constexpr std::size_t kLineBytes = 4096;

/// Where programs keep what they know of packages and of themselves.
const std::set<std::string> kAside{"var"};

/// What the program says, by lines.
class Words {
public:
    explicit Words(Job& job) : job_(job) {}

    void add(std::string_view text) {
        for (const char c : text) {
            if (c == '\n' || c == '\r' || line_.size() == kLineBytes) finish();
            if (c != '\n' && c != '\r') line_ += c;
        }
    }
    void finish() {
        const bool blank = line_.find_first_not_of(" \t.") == std::string::npos;
        const auto line = archive::printable(line_);
        line_.clear();
        if (blank) return;
        if (last_.size() == kLastLines) last_.pop_front();
        last_.push_back(line);
        auto progress = job_.progress().value_or(model::Progress{});
        job_.show({.phase = "updating", .item = line, .bytes = progress.bytes, .entries = progress.entries});
    }
    void keep() const {
        for (const auto& line : last_) job_.add_step("said: " + line);
    }
    [[nodiscard]] std::string last() const {
        const auto skipped = last_.size() - std::min(last_.size(), kLastWords);
        return fmt::format("{}", fmt::join(last_.begin() + static_cast<std::ptrdiff_t>(skipped), last_.end(), "; "));
    }
    [[nodiscard]] bool tell(std::string_view what) const {
        return std::ranges::any_of(last_, [&](const std::string& line) { return line.contains(what); });
    }

private:
    Job& job_;
    std::string line_{};
    std::deque<std::string> last_{};
};

/// A tree that is updated, and what is known of it.
struct UpdatedTree {
    std::filesystem::path root;
    std::filesystem::path work;
    int tree;
    const model::Template& from;
    Job& job;
    const Options& options;
};

std::vector<std::string> updater_environment(const UpdatedTree& place) {
    // PAGER and the rest: nobody sits before it.
    return {"PATH=" + std::string(kSystemPath),
            "LC_ALL=C",
            "HOME=" + place.work.string(),
            "TMPDIR=" + place.work.string(),
            "PAGER=cat",
            "ASSUME_ALWAYS_YES=yes",
            "DEBIAN_FRONTEND=noninteractive",
            "JAILD_ROOT=" + place.root.string(),
            "JAILD_WORK=" + place.work.string(),
            "JAILD_FROM=" + place.from.reference(),
            "JAILD_TO=" + place.job.subject().reference()};
}

#ifdef __FreeBSD__
/// By what the tree's base is made of.
Result<Argv> system_updater(const UpdatedTree& place) {
    const bool packages = files::open_file(place.tree, "var/db/pkg/local.sqlite", O_RDONLY).has_value();
    if (packages) {
        // Nothing is answered for the user: where pkg(8) is not installed, pkg(7) would install it on the host.
        auto environment = updater_environment(place);
        std::erase(environment, "ASSUME_ALWAYS_YES=yes");
        const auto found = run(freebsd::find_pkgbase(place.root), {.environment = std::move(environment)});
        if (!found) return std::unexpected(found.error());
        if (found->exit_code == 0) return freebsd::pkgbase_upgrade(place.root);
    }
    const auto script = files::read(place.tree, "bin/freebsd-version", kOutputBytes);
    const auto version = freebsd::userland_version(script ? *script : std::string());
    if (!version) return std::unexpected(version.error());
    return freebsd::freebsd_update(place.root, place.work, *version);
}
#else
Result<Argv> system_updater(const UpdatedTree& place) {
    if (auto known = check_updater(place.options); !known) return std::unexpected(known.error());
    return Argv{};
}
#endif

Result<Argv> updater_command(const UpdatedTree& place) {
    auto argv = place.options.updater;
    if (argv.empty()) return system_updater(place);
    argv.push_back(place.root);
    return argv;
}

Error update_failed(const Words& words, const std::string& end) {
    const bool full = words.tell("No space left on device");
    const auto last = words.last();
    return Error{.code = full ? Errc::exhausted : Errc::invalid,
                 .op = "update",
                 .detail = fmt::format("the updater: {}{}{}", end, last.empty() ? "" : ": ", last),
                 .reason = full ? "disk_full" : "update_failed",
                 .field = {},
                 .remedy = "see what it said: jaildctl -o json template update, or the operation's steps"};
}

Result<void> run_updater(const UpdatedTree& place) {
    const auto argv = updater_command(place);
    if (!argv) return std::unexpected(argv.error());
    place.job.add_step("run " + fmt::format("{}", fmt::join(*argv, " ")));
    Words words(place.job);
    const auto ended = run(*argv, {.environment = updater_environment(place),
                                   .timeout = place.options.longest_update,
                                   .output_limit = kOutputBytes,
                                   .leftovers = Leftovers::killed,
                                   .watch = [&](std::string_view text) {
                                       words.add(text);
                                       return !place.job.interrupted();
                                   }});
    words.finish();
    words.keep();
    if (ended)
        return ended->exit_code == 0
                   ? Result<void>{}
                   : std::unexpected(update_failed(words, fmt::format("exit code {}", ended->exit_code)));
    if (ended.error().reason == "interrupted") return std::unexpected(interrupted_error());
    if (ended.error().reason == "program_not_found" || ended.error().sys != 0)
        return std::unexpected(update_failed(words, ended.error().detail));
    if (ended.error().reason != "timeout") return std::unexpected(ended.error());
    auto error = update_failed(words, fmt::format("not done within {} s", place.options.longest_update.count() / 1000));
    error.code = Errc::busy;
    error.reason = "update_timeout";
    return std::unexpected(std::move(error));
}

Result<files::TreeMark> look(const UpdatedTree& place) {
    auto seen = files::mark_tree(place.tree, kAside, [&] { return !place.job.interrupted(); });
    if (seen) return seen;
    auto error = seen.error();
    if (error.reason == "interrupted") return std::unexpected(interrupted_error());
    if (error.reason == "mount_beneath") error.code = Errc::conflict;
    return std::unexpected(std::move(error));
}

Error too_much(std::string_view reason, std::string detail, const char* remedy) {
    return Error{.code = Errc::invalid,
                 .op = "update",
                 .detail = std::move(detail),
                 .reason = reason,
                 .field = {},
                 .remedy = remedy};
}

Result<model::Template> with_totals(const UpdatedTree& place, const files::TreeMark& now) {
    const auto& options = place.options;
    if (now.bytes > options.max_bytes)
        return std::unexpected(too_much("template_too_large",
                                        fmt::format("the updated tree has more than {} bytes", options.max_bytes),
                                        "jaild.toml(5): template_max_bytes"));
    if (now.entries > options.max_entries)
        return std::unexpected(too_much("too_many_entries",
                                        fmt::format("the updated tree has more than {} entries", options.max_entries),
                                        "jaild.toml(5): template_max_entries"));
    auto value = place.job.subject();
    value.bytes = now.bytes;
    value.entries = now.entries;
    return value;
}

}  // namespace

Result<void> check_updater(const Options& options) {
#ifdef __FreeBSD__
    static_cast<void>(options);
    return {};
#else
    if (!options.updater.empty()) return {};
    return std::unexpected(Error{.code = Errc::unsupported,
                                 .op = "update",
                                 .detail = "this system has no program that updates a tree, and none is configured",
                                 .reason = "updates_unavailable",
                                 .field = {},
                                 .remedy = "name one in jaild.toml(5): template_update = [\"/path/of/program\"]"});
#endif
}

Result<model::Template> update_tree(const std::filesystem::path& directory, int root, const model::Template& from,
                                    Job& job, const Options& options) {
    const UpdatedTree place{.root = directory / "root",
                            .work = directory / "work",
                            .tree = root,
                            .from = from,
                            .job = job,
                            .options = options};
    const auto home = files::open_directory(directory);
    if (!home) return std::unexpected(home.error());
    if (auto work = files::make_directories(home->get(), "work", 0700); !work) return std::unexpected(work.error());
    const auto before = look(place);
    if (!before) return std::unexpected(before.error());
    if (auto ran = run_updater(place); !ran) return std::unexpected(ran.error());
    if (auto gone = files::remove_tree(home->get(), "work"); !gone) return std::unexpected(gone.error());
    const auto after = look(place);
    if (!after) return std::unexpected(after.error());
    if (after->mark == before->mark)
        return std::unexpected(Error{.code = Errc::conflict,
                                     .op = "update",
                                     .detail = fmt::format("template {} is up to date", from.reference()),
                                     .reason = "template_up_to_date"});
    return with_totals(place, *after);
}

}  // namespace jaild::templates
