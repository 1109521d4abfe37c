#include "core/kernel/roots/root_storage.h"

namespace jaild::kernel {

Result<void> check_storage(const model::Storage& storage, RootOnDataset on, const char* remedy) {
    if (on == RootOnDataset::yes || storage == model::Storage{}) return {};
    const char* field = storage.quota.count != 0         ? "/root/quota"
                        : storage.reservation.count != 0 ? "/root/reservation"
                                                         : "/root/compression";
    return std::unexpected(Error{.code = Errc::unsupported,
                                 .op = "validate",
                                 .detail = "this root is a directory of a file system that it shares, not a ZFS "
                                           "dataset: it has no quota, reservation or compression of its own",
                                 .reason = "storage_unsupported",
                                 .field = field,
                                 .remedy = remedy});
}

}  // namespace jaild::kernel
