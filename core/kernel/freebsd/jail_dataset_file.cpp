#include "core/kernel/freebsd/jail_dataset_file.h"

#include "core/base/files.h"

namespace jaild::kernel::freebsd {
namespace {

constexpr const char* kDatasetFile = "dataset";
constexpr std::size_t kDatasetLimit = 1024;

}  // namespace

Result<std::optional<std::string>> dataset_in(const std::filesystem::path& directory) {
    auto text = files::read(directory / kDatasetFile, kDatasetLimit);
    if (!text && text.error().code == Errc::not_found) return std::nullopt;
    if (!text) return std::unexpected(text.error());
    return *std::move(text);
}

Result<void> write_dataset(int directory, const std::string& name) {
    return files::write_atomic(directory, kDatasetFile, name, 0600);
}

}  // namespace jaild::kernel::freebsd
