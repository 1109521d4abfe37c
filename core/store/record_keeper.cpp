#include "core/store/record_keeper.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "core/base/files.h"
#include "core/store/records.h"

namespace jaild::store {
namespace {

namespace fs = std::filesystem;

constexpr const char* kNewRecord = ".new";
/// Changes that come at once are one pass, and passes take a twentieth of the time at most.
constexpr std::chrono::milliseconds kGather{50};
constexpr int kBusyShare = 20;
constexpr std::chrono::seconds kRecordRetry{5};

std::string file_of(const std::string& name) {
    return name + std::string(records::kEnding);
}

Error record_error(std::string_view op, const std::string& name) {
    return Error::from_errno(op, errno, "the record " + name);
}

Result<void> write_record(int file, std::string_view text, const std::string& name) {
    while (!text.empty()) {
        const auto count = ::write(file, text.data(), text.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return std::unexpected(record_error("write", name));
        text.remove_prefix(static_cast<std::size_t>(count));
    }
    return {};
}

}  // namespace

Result<std::unique_ptr<RecordKeeper>> RecordKeeper::start(const fs::path& database, const fs::path& directory,
                                                          Complain complain) {
    if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
        return std::unexpected(Error::from_errno("mkdir", errno, directory.string()));
    auto held = files::open_directory(directory);
    if (!held) return std::unexpected(held.error());
    for (const auto& kind : records::kinds())
        if (auto made = files::make_directories(held->get(), fs::path(kind.table), 0700); !made)
            return std::unexpected(made.error());
    auto connection = Connection::open(database, Connection::Mode::read_only);
    if (!connection) return std::unexpected(connection.error());
    std::unique_ptr<RecordKeeper> keeper(
        new RecordKeeper(*std::move(connection), *std::move(held), directory, std::move(complain)));
    try {
        keeper->thread_ = std::thread([raw = keeper.get()] { raw->run(); });
    } catch (const std::system_error& thrown) {
        return std::unexpected(Error::from_errno("pthread_create", thrown.code().value(), "the thread of records"));
    }
    return keeper;
}

RecordKeeper::RecordKeeper(std::unique_ptr<Connection> connection, UniqueFd directory, fs::path path, Complain complain)
    : connection_(std::move(connection)),
      directory_(std::move(directory)),
      path_(std::move(path)),
      complain_(std::move(complain)) {}

RecordKeeper::~RecordKeeper() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
}

void RecordKeeper::changed() {
    const std::lock_guard lock(mutex_);
    if (dirty_) return;
    dirty_ = true;
    wake_.notify_one();
}

/// False: the end, and nothing is due.
bool RecordKeeper::wait_until_due(std::chrono::steady_clock::duration pause) {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return stopping_ || dirty_; });
    if (!stopping_) wake_.wait_for(lock, pause, [this] { return stopping_; });
    return std::exchange(dirty_, false);
}

void RecordKeeper::run() noexcept {
    read_present();
    std::chrono::steady_clock::duration pause{0};
    while (wait_until_due(pause)) {
        const auto begun = std::chrono::steady_clock::now();
        const auto done = pass();
        told(done);
        pause = std::max<std::chrono::steady_clock::duration>(kGather,
                                                              kBusyShare * (std::chrono::steady_clock::now() - begun));
        if (done) continue;
        const std::lock_guard lock(mutex_);
        if (stopping_) return;
        dirty_ = true;
        pause = kRecordRetry;
    }
}

void RecordKeeper::told(const Result<void>& done) {
    const auto problem = done ? std::string() : done.error().to_string();
    if (!problem.empty() && problem != complaint_ && complain_) complain_(done.error());
    complaint_ = problem;
}

/// What an earlier daemon wrote. What cannot be read is written again.
void RecordKeeper::read_present() {
    const auto read = [&](const std::string& name) {
        auto text = files::read(directory_.get(), file_of(name), records::kLargest);
        written_[name] = text ? *std::move(text) : std::string();
    };
    std::error_code none;
    if (fs::exists(path_ / file_of(std::string(records::kMeta)), none)) read(std::string(records::kMeta));
    for (const auto& kind : records::kinds())
        for (const auto& entry : fs::directory_iterator(path_ / kind.table, none)) {
            const auto file = entry.path().filename();
            if (file.extension() == records::kEnding) read(fmt::format("{}/{}", kind.table, file.stem().string()));
        }
}

void RecordKeeper::find_strangers(const Texts& texts) {
    if (std::exchange(compared_, true)) return;
    for (const auto& [name, text] : written_)
        if (!texts.contains(name)) strangers_.insert(name);
}

/// "jails/12" and "templates/3" are trees of the state directory, too; the others go with those.
bool RecordKeeper::keeps(const std::string& name) const {
    const auto has_tree = [&](const std::string& one) {
        std::error_code none;
        return (one.starts_with("jails/") || one.starts_with("templates/")) &&
               fs::is_directory(path_.parent_path() / one, none);
    };
    if (!strangers_.contains(name)) return false;
    const bool is_tree = name.starts_with("jails/") || name.starts_with("templates/");
    return is_tree ? has_tree(name) : std::ranges::any_of(strangers_, has_tree);
}

Result<void> RecordKeeper::pass() {
    auto texts = records::dump(*connection_);
    if (!texts) return std::unexpected(texts.error());
    find_strangers(*texts);
    for (auto& [name, text] : *texts) {
        auto& known = written_[name];
        if (known == text) continue;
        if (auto done = write(name, text); !done) return done;
        known = std::move(text);
    }
    for (auto at = written_.begin(); at != written_.end();) {
        if (texts->contains(at->first) || keeps(at->first)) {
            ++at;
            continue;
        }
        remove(at->first);
        at = written_.erase(at);
    }
    return {};
}

Result<void> RecordKeeper::write(const std::string& name, const std::string& text) {
    const auto file = file_of(name);
    const UniqueFd made(
        ::openat(directory_.get(), kNewRecord, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!made) return std::unexpected(record_error("openat", name));
    if (auto done = write_record(made.get(), text, name); !done) return done;
    if (::renameat(directory_.get(), kNewRecord, directory_.get(), file.c_str()) != 0)
        return std::unexpected(record_error("renameat", name));
    return {};
}

void RecordKeeper::remove(const std::string& name) {
    ::unlinkat(directory_.get(), file_of(name).c_str(), 0);
}

}  // namespace jaild::store
