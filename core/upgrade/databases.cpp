#include "core/upgrade/databases.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "core/base/files.h"
#include "core/base/spawn.h"

namespace jaild::upgrade {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxText = 16 << 20;
constexpr std::size_t kMaxDatabase = 256 << 20;

struct Made {
    const char* name;
    unsigned mode;
};

/// A text of `etc` and what a program makes of it.
struct Recipe {
    const char* text;
    Argv argv;
    std::vector<Made> made;
};

/// Of the program's last words, for a person.
std::string said_by(const Completed& completed) {
    std::string said = completed.error_output.empty() ? completed.output : completed.error_output;
    constexpr std::size_t kShown = 400;
    said.resize(std::min(said.size(), kShown));
    while (!said.empty() && said.back() == '\n') said.pop_back();
    return said;
}

Result<void> cook(int etc, int scratch, const Recipe& recipe, Milliseconds timeout) {
    const auto text = files::read(etc, recipe.text, kMaxText);
    if (!text) {
        const auto& error = text.error();
        const bool none = error.sys == ENOENT || error.reason == "not_a_file" || error.reason == "symbolic_link";
        if (none) return {};
        return std::unexpected(error);
    }
    if (auto copied = files::write_atomic(scratch, recipe.text, *text, 0600); !copied) return copied;
    const auto completed = run(recipe.argv, {.timeout = timeout});
    if (!completed) return std::unexpected(completed.error());
    if (completed->exit_code != 0)
        return std::unexpected(Error{.code = Errc::kernel,
                                     .op = "make_databases",
                                     .detail = recipe.argv.front() + " does not take the jail's etc/" + recipe.text +
                                               " (" + std::to_string(completed->exit_code) +
                                               "): " + said_by(*completed),
                                     .reason = "program_failed",
                                     .remedy = std::string("mend etc/") + recipe.text + " in the jail"});
    for (const auto& made : recipe.made) {
        const auto content = files::read(scratch, made.name, kMaxDatabase);
        if (!content) return std::unexpected(content.error());
        if (auto put = files::write_atomic(etc, made.name, *content, made.mode); !put) return put;
    }
    return {};
}

}  // namespace

std::set<std::string> database_files() {
    return {"passwd", "pwd.db", "spwd.db", "login.conf.db"};
}

Result<void> make_databases(int etc, const fs::path& scratch, const DatabasePrograms& programs) {
    const auto directory = files::open_directory(scratch);
    if (!directory) return std::unexpected(directory.error());
    const auto accounts = scratch / "master.passwd";
    const auto classes = scratch / "login.conf";
    const Recipe recipes[] = {
        {.text = "master.passwd",
         .argv = {programs.pwd_mkdb, "-p", "-d", scratch, accounts},
         .made = {{"pwd.db", 0644}, {"spwd.db", 0600}, {"passwd", 0644}}},
        {.text = "login.conf", .argv = {programs.cap_mkdb, classes}, .made = {{"login.conf.db", 0644}}}};
    for (const auto& recipe : recipes)
        if (auto done = cook(etc, directory->get(), recipe, programs.timeout); !done) return done;
    return {};
}

}  // namespace jaild::upgrade
