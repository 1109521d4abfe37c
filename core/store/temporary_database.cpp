#include "core/store/temporary_database.h"

#include <fcntl.h>
#include <unistd.h>

namespace jaild::store {

std::filesystem::path with_ending(const std::filesystem::path& path, std::string_view ending) {
    auto longer = path;
    longer += ending;
    return longer;
}

UniqueFd TemporaryDatabase::create() const {
    return UniqueFd(::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
}

void TemporaryDatabase::remove() const {
    for (const auto* const ending : {"", "-wal", "-shm", "-journal"}) ::unlink(with_ending(path_, ending).c_str());
}

}  // namespace jaild::store
