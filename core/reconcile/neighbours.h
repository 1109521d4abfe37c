#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "core/kernel/kernel.h"
#include "core/model/jail.h"
#include "core/reconcile/address_book.h"
#include "core/reconcile/board.h"
#include "core/store/store.h"

namespace jaild::reconcile {

/// Keeps the hosts(5) of running jails current while others come and go. One writer at a time for each jail. No part of
/// a plan: what a jail's root does to the file is its own affair until the next change or start.
class Neighbours {
public:
    Neighbours(store::Store& store, kernel::Kernel& kernel, Board& board)
        : store_(store), kernel_(kernel), board_(board) {}

    using Write = std::function<Result<void>(std::vector<kernel::HostEntry>)>;
    /// For a jail that is about to start: `write` gets the names of now, and from here on they are kept. Blocking.
    Result<void> begin(JailId id, const Write& write);
    /// Rewrites the hosts of each jail that runs and is behind. Blocking; one call at a time. The first error; the
    /// others are written all the same.
    Result<void> settle();

private:
    struct Known {
        std::shared_ptr<std::mutex> writing = std::make_shared<std::mutex>();
        std::optional<std::uint64_t> written{};  ///< fingerprint
        std::uint64_t look = 0;                  ///< at the book, for `written`
    };
    /// Of two looks the one with the greater number saw at least what was there when the other was begun.
    struct Look {
        std::uint64_t number = 0;
        AddressBook book{};
    };

    Result<Look> look();
    Known known(JailId id);
    void note(JailId id, const std::function<void(Known&)>& change);
    void adopt_those_that_run();
    std::vector<JailId> behind(const Look& look);
    Result<void> catch_up(JailId id, const Look& look);

    store::Store& store_;
    kernel::Kernel& kernel_;
    Board& board_;

    mutable std::mutex mutex_;
    std::map<JailId, Known> known_;
    std::uint64_t looks_ = 0;
};

}  // namespace jaild::reconcile
