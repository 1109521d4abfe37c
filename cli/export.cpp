#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/input.h"
#include "cli/table.h"
#include "core/base/unique_fd.h"

/// jaildctl export, import
namespace jaild::cli {
namespace {

using nlohmann::json;

struct ExportOptions {
    std::string jail;
    std::string snapshot;
    std::string file;
};

struct JailImportOptions {
    std::string file;
    std::string name;
    bool no_start = false;
    bool no_wait = false;
};

int failed_with(const std::string& what) {
    fmt::print(stderr, "jaildctl: {}: {}\n", what, Error::from_errno("write", errno).detail);
    return kFailed;
}

/// A file that has its name only when all of it is there: the name of one that was there before is its own until then.
class NewFile {
public:
    explicit NewFile(std::string name) : name_(std::move(name)), temporary_(name_ + ".XXXXXX") {}
    NewFile(const NewFile&) = delete;
    NewFile& operator=(const NewFile&) = delete;
    ~NewFile() {
        if (file_) ::unlink(temporary_.c_str());
    }
    /// Readable by its owner alone: a jail's secrets are in it. False with errno.
    bool open() {
        file_.reset(::mkostemp(temporary_.data(), O_CLOEXEC));
        return static_cast<bool>(file_);
    }
    [[nodiscard]] bool write(std::string_view data) const {
        while (!data.empty()) {
            const auto count = ::write(file_.get(), data.data(), data.size());
            if (count < 0 && errno == EINTR) continue;
            if (count < 0) return false;
            data.remove_prefix(static_cast<std::size_t>(count));
        }
        return true;
    }
    bool finish() {
        if (::fsync(file_.get()) != 0 || ::rename(temporary_.c_str(), name_.c_str()) != 0) return false;
        file_.reset();
        return true;
    }

private:
    std::string name_;
    std::string temporary_;
    UniqueFd file_;
};

client::Request export_request(const ExportOptions& options) {
    const auto query = options.snapshot.empty() ? "" : "?snapshot=" + client::encode(options.snapshot);
    return {.target = jail_target(options.jail, "/export" + query)};
}

/// What came of a stream whose output could be written.
int outcome(const Result<client::Response>& response) {
    if (response) return response->status / 100 == 2 ? kDone : report(*response);
    const auto reason = response.error().name();
    if (reason == "no_daemon" || reason == "socket_denied") return report(response.error());
    fmt::print(stderr, "jaildctl: archive incomplete: {}\n  jaild's log says why it ended\n", response.error().detail);
    return kFailed;
}

int export_to_file(Context& context, const ExportOptions& options) {
    NewFile file(options.file);
    if (!file.open()) return failed_with(options.file);
    bool written = true;
    const auto response = context.client.stream(export_request(options), [&](std::string_view data) {
        written = file.write(data);
        return written;
    });
    if (!written) return failed_with(options.file);
    if (const int exit = outcome(response); exit != kDone) return exit;
    return file.finish() ? kDone : failed_with(options.file);
}

int export_jail(Context& context, const ExportOptions& options) {
    if (!options.file.empty() && options.file != "-") return export_to_file(context, options);
    if (::isatty(STDOUT_FILENO) != 0) {
        fmt::print(stderr, "jaildctl: an archive is nothing for a terminal: name a file (-f {}.jaild), or pipe it\n",
                   printable(options.jail));
        return kUsage;
    }
    bool written = true;
    const auto response = context.client.stream(export_request(options), [&](std::string_view data) {
        written = write_out(data);
        return written;
    });
    return written ? outcome(response) : kFailed;
}

int import_jail(Context& context, const JailImportOptions& options) {
    UniqueFd file;
    if (options.file != "-") {
        file.reset(::open(options.file.c_str(), O_RDONLY | O_CLOEXEC));
        if (!file) {
            fmt::print(stderr, "jaildctl: {}: {}\n", printable(options.file), Error::from_errno("open", errno).detail);
            return kFailed;
        }
    } else if (::isatty(STDIN_FILENO) != 0) {
        fmt::print(stderr,
                   "jaildctl: standard input is a terminal: name a file, or pipe what `jaildctl export` writes\n");
        return kUsage;
    }
    std::string query;
    if (!options.name.empty()) query = "?name=" + client::encode(options.name);
    if (options.no_start) query += (query.empty() ? "?" : "&") + std::string("start=false");
    auto request = change(context, "POST", "/v1/import/jail" + query);
    request.upload = [from = file ? file.get() : STDIN_FILENO] { return read_piece(from); };
    int exit = kDone;
    const auto answer = call(context, request, exit);
    if (!answer) return exit;
    const auto made = json::parse(answer->body, nullptr, false);
    if (!made.is_object()) return kFailed;
    if (context.json) {
        print_json(made);
    } else if (answer->status == 202 && !options.no_start) {
        fmt::print("imported {}; it is being started (not waited for)\n", text(made, "name"));
    } else {
        fmt::print("imported {}\n", text(made, "name"));
    }
    return kDone;
}

}  // namespace

void add_export_commands(CLI::App& app, Command& chosen) {
    auto wanted = std::make_shared<ExportOptions>();
    auto* out = app.add_subcommand("export", "write a jail and its spec as one archive");
    out->footer(
        "Examples:\n"
        "  jaildctl export web | ssh other jaildctl import -\n"
        "  jaildctl export web -f web.jaild");
    out->add_option("name", wanted->jail, "a jail; it may run")->required();
    out->add_option("--snapshot", wanted->snapshot, "this snapshot of it, not what its root is now");
    out->add_option("-f,--file", wanted->file, "write to this file; else to standard output");
    out->callback([wanted, &chosen] { chosen = [wanted](Context& context) { return export_jail(context, *wanted); }; });

    auto asked = std::make_shared<JailImportOptions>();
    auto* in = app.add_subcommand("import", "make a jail of what export wrote");
    in->footer(
        "Examples:\n"
        "  jaildctl import web.jaild\n"
        "  jaildctl import web.jaild --name web2 --no-start");
    in->add_option("file", asked->file, "the archive; - is standard input")->required();
    in->add_option("--name", asked->name, "of the new jail; else the one that it had");
    in->add_flag("--no-start", asked->no_start, "do not start it, whatever its spec says");
    in->add_flag("--no-wait", asked->no_wait, "return when it is imported, before it has started");
    in->callback([asked, &chosen] {
        chosen = [asked](Context& context) {
            context.wait = !asked->no_wait;
            return import_jail(context, *asked);
        };
    });
}

}  // namespace jaild::cli
