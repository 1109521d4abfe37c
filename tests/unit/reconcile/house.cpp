#include "tests/unit/reconcile/house.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace jaild::reconcile_test {

using test::value_of;

namespace {

/// Made before there is a second thread, as jaild itself does it: libspdlog is built without TSan, which does not see
/// that the first thread to need it makes it for all.
[[maybe_unused]] const auto* const kLogger = spdlog::default_logger_raw();

}  // namespace

model::Jail House::begin(const std::string& kind, const std::function<Result<model::Jail>(store::Writer&)>& write) {
    std::string operation;
    auto jail = value_of(store::write<model::Jail>(*state.store, [&](store::Writer& writer) -> Result<model::Jail> {
        auto written = write(writer);
        if (!written) return written;
        auto made = writer.insert_operation({.id = {},
                                             .kind = kind,
                                             .jail = written->id,
                                             .jail_name = written->name.text(),
                                             .generation = written->generation,
                                             .incarnation = written->incarnation,
                                             .steps = {},
                                             .problem = {},
                                             .created_at = {},
                                             .finished_at = {}});
        if (!made) return std::unexpected(made.error());
        operation = made->id;
        return written;
    }));
    operations_[jail.id] = operation;
    reconciler->poke(jail.id);
    return jail;
}

model::Jail House::create(const std::string& json) {
    return begin("create", [&](store::Writer& writer) { return writer.insert_jail(store_test::named(json)); });
}

model::Jail House::settled(const std::string& json) {
    auto jail = create(json);
    value_of(reconciler->reconcile(jail.id));
    return jail;
}

model::Jail House::change(const model::Jail& jail, const std::function<void(model::JailSpec&)>& change) {
    auto spec = jail.spec;
    change(spec);
    return begin("update", [&](store::Writer& writer) { return writer.update_jail(jail.id, spec); });
}

model::Jail House::stop(const model::Jail& jail) {
    return change(jail, [](model::JailSpec& spec) { spec.running = false; });
}

model::Jail House::restart(const model::Jail& jail) {
    return begin("restart", [&](store::Writer& writer) { return writer.request_restart(jail.id); });
}

model::Jail House::remove(const model::Jail& jail) {
    return begin("remove", [&](store::Writer& writer) { return writer.mark_removing(jail.id); });
}

void House::start_anew() {
    reconciler = std::make_unique<reconcile::Reconciler>(*state.store, kernel, clock, reconcile::ReconcilerOptions{});
}

std::optional<model::Condition> House::condition(const model::Jail& jail, const std::string& type) const {
    const auto conditions = status(jail).conditions;
    const auto found = std::ranges::find(conditions, type, &model::Condition::type);
    if (found == conditions.end()) return std::nullopt;
    return *found;
}

std::vector<std::string> House::events(const std::string& type) {
    const auto all = value_of(store::read<std::vector<model::Event>>(
        *state.store, [](store::Reader& reader) { return reader.events(EventSeq{}, 10'000); }));
    std::vector<std::string> found;
    for (const auto& event : all)
        if (event.type == type) found.push_back(event.data);
    return found;
}

model::Operation House::last_operation(const model::Jail& jail) {
    const auto id = operations_.at(jail.id);
    return value_of(
        store::read<model::Operation>(*state.store, [&](store::Reader& reader) { return reader.operation(id); }));
}

std::string House::operation(const model::Jail& jail) {
    return std::string(to_string(last_operation(jail).state));
}

}  // namespace jaild::reconcile_test
