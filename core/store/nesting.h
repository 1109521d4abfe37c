#pragma once

#include "core/base/error.h"

namespace jaild::store {

class Store;

/// Marks that this thread is inside a work function of a store: a call back into the same one would wait for itself.
class Nesting {
public:
    explicit Nesting(const Store* store) : outer_(inside_) { inside_ = store; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;
    ~Nesting() { inside_ = outer_; }

    /// Errc::busy "nested_transaction": a mistake in our own code.
    static Result<void> check(const Store* store) {
        if (inside_ != store) return {};
        return std::unexpected(Error{.code = Errc::busy,
                                     .op = "store",
                                     .detail = "a transaction was begun inside another one",
                                     .reason = "nested_transaction"});
    }

private:
    static inline thread_local const Store* inside_ = nullptr;
    const Store* outer_;
};

}  // namespace jaild::store
