#pragma once

#include "core/kernel/memory/faults.h"
#include "core/store/store.h"

namespace jaild::simulation {

/// A store whose every transaction is a point at which the daemon can die or the disk can fail.
class StrikingStore : public store::Store {
public:
    StrikingStore(store::Store& inner, kernel::memory::Faults& faults) : inner_(&inner), faults_(faults) {}

    /// Another one in its place.
    void stand_before(store::Store& inner) { inner_ = &inner; }

    [[nodiscard]] const InstanceId& instance() const override { return inner_->instance(); }
    Result<void> write(std::function<Result<void>(store::Writer&)> work) override {
        return faults_.transaction("store.write", [&] { return inner_->write(std::move(work)); });
    }
    Result<void> read(std::function<Result<void>(store::Reader&)> work) override {
        return faults_.transaction("store.read", [&] { return inner_->read(std::move(work)); });
    }
    void on_events(std::function<void(EventSeq)> listener) override { inner_->on_events(std::move(listener)); }

private:
    store::Store* inner_;
    kernel::memory::Faults& faults_;
};

}  // namespace jaild::simulation
