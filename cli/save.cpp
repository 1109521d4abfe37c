#include "cli/save.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "core/base/unique_fd.h"

namespace jaild::cli {
namespace {

int cannot_write(const std::string& what) {
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

/// What came of a stream whose output could be written.
int outcome(const Result<client::Response>& response, const Saved& saved) {
    if (response) return response->status / 100 == 2 ? kDone : report(*response);
    const auto reason = response.error().name();
    if (reason == "no_daemon" || reason == "socket_denied") return report(response.error());
    fmt::print(stderr, "jaildctl: {} incomplete: {}\n  jaild's log says why it ended\n", saved.what,
               response.error().detail);
    return kFailed;
}

int save_file(Context& context, const client::Request& request, const std::string& name, const Saved& saved) {
    NewFile file(name);
    if (!file.open()) return cannot_write(name);
    bool written = true;
    const auto response = context.client.stream(request, [&](std::string_view data) {
        written = file.write(data);
        return written;
    });
    if (!written) return cannot_write(name);
    if (const int exit = outcome(response, saved); exit != kDone) return exit;
    return file.finish() ? kDone : cannot_write(name);
}

}  // namespace

int save(Context& context, const client::Request& request, const std::string& file, const Saved& saved) {
    if (!file.empty() && file != "-") return save_file(context, request, file, saved);
    if (::isatty(STDOUT_FILENO) != 0) {
        fmt::print(stderr, "jaildctl: this {} is nothing for a terminal: name a file ({}), or pipe it\n", saved.what,
                   saved.example);
        return kUsage;
    }
    bool written = true;
    const auto response = context.client.stream(request, [&](std::string_view data) {
        written = write_out(data);
        return written;
    });
    return written ? outcome(response, saved) : kFailed;
}

}  // namespace jaild::cli
