#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "core/base/unique_fd.h"
#include "core/store/connection.h"

namespace jaild::store {

/// Keeps a directory of records (records.h) as the database is: `jails/12.json`, 0600. Each is written by rename,
/// moments after the COMMIT, by a thread of its own, and not waited for to be on disk: what a crash kept from being
/// written is made up for at the next start. Only who lost the database reads them.
class RecordKeeper {
public:
    using Complain = std::function<void(const Error&)>;
    /// `complain`: from its thread, when records cannot be written, and once until they can be again.
    static Result<std::unique_ptr<RecordKeeper>> start(const std::filesystem::path& database,
                                                       const std::filesystem::path& directory, Complain complain);
    RecordKeeper(const RecordKeeper&) = delete;
    RecordKeeper& operator=(const RecordKeeper&) = delete;
    ~RecordKeeper();  ///< what is due is still written

    /// Something was committed. Never blocks; any thread.
    void changed();

private:
    using Texts = std::map<std::string, std::string>;
    RecordKeeper(std::unique_ptr<Connection> connection, UniqueFd directory, std::filesystem::path path,
                 Complain complain);
    void run() noexcept;
    bool wait_until_due(std::chrono::steady_clock::duration pause);
    Result<void> pass();
    Result<void> write(const std::string& name, const std::string& text);
    void remove(const std::string& name);
    void read_present();
    void find_strangers(const Texts& texts);
    [[nodiscard]] bool keeps(const std::string& name) const;
    void told(const Result<void>& done);

    std::unique_ptr<Connection> connection_;
    UniqueFd directory_;
    const std::filesystem::path path_;
    const Complain complain_;
    Texts written_;  ///< what the files hold
    /// Of what this database has never known: somebody put an older one back. They stay as long as trees do that
    /// nobody else knows.
    std::set<std::string> strangers_;
    bool compared_ = false;
    std::string complaint_;

    std::mutex mutex_;
    std::condition_variable wake_;
    bool dirty_ = true;
    bool stopping_ = false;
    std::thread thread_;  // last: it uses the others
};

}  // namespace jaild::store
