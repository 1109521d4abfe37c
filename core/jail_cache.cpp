#include "core/jail_cache.h"

#include <nlohmann/json.hpp>

namespace jaild {
namespace {

bool older(const model::Jail& a, const model::Jail& b) {
    if (a.generation != b.generation) return a.generation < b.generation;
    if (a.incarnation != b.incarnation) return a.incarnation < b.incarnation;
    return !a.removing && b.removing;
}

}  // namespace

void JailCache::put(const model::Jail& row) {
    const std::lock_guard lock(mutex_);
    if (dropped_.contains(row.id)) return;
    const auto known = by_key_.find(row.name.key());
    // A name belongs to one row at a time, so a smaller id under it is a jail that is gone.
    if (known != by_key_.end() && known->second > row.id) return;
    if (known != by_key_.end() && known->second < row.id) entries_.erase(known->second);
    auto [entry, inserted] = entries_.try_emplace(row.id, Entry{.row = row, .document = {}});
    if (!inserted && older(row, entry->second.row)) return;
    entry->second.row = row;
    entry->second.version++;
    entry->second.document.reset();
    by_key_.insert_or_assign(row.name.key(), row.id);
}

void JailCache::drop(JailId id) {
    const std::lock_guard lock(mutex_);
    dropped_.insert(id);
    if (dropped_.size() > kRememberedDrops) dropped_.erase(dropped_.begin());
    const auto entry = entries_.find(id);
    if (entry == entries_.end()) return;
    by_key_.erase(entry->second.row.name.key());
    entries_.erase(entry);
}

void JailCache::follow(const model::Event& event) {
    if (event.type != "jail.removed") return;
    const auto data = nlohmann::json::parse(event.data, nullptr, false);
    if (!data.is_object()) return;
    if (const auto id = data.find("id"); id != data.end() && id->is_number_integer())
        drop(JailId{id->get<std::int64_t>()});
}

void JailCache::touch(JailId id) {
    const std::lock_guard lock(mutex_);
    const auto entry = entries_.find(id);
    if (entry == entries_.end()) return;
    entry->second.version++;
    entry->second.document.reset();
}

std::optional<model::Jail> JailCache::find(const model::Name& name) const {
    const std::lock_guard lock(mutex_);
    const auto id = by_key_.find(name.key());
    if (id == by_key_.end()) return std::nullopt;
    return entries_.at(id->second).row;
}

std::vector<model::Jail> JailCache::all() const {
    const std::lock_guard lock(mutex_);
    std::vector<model::Jail> rows;
    rows.reserve(entries_.size());
    for (const auto& [id, entry] : entries_) rows.push_back(entry.row);
    return rows;
}

std::optional<JailCache::Document> JailCache::document(const model::Name& name) const {
    const std::lock_guard lock(mutex_);
    const auto id = by_key_.find(name.key());
    if (id == by_key_.end()) return std::nullopt;
    return entries_.at(id->second).document;
}

void JailCache::keep(const model::Jail& row, std::uint64_t version, const Document& document) {
    const std::lock_guard lock(mutex_);
    const auto entry = entries_.find(row.id);
    if (entry == entries_.end() || entry->second.version != version) return;
    entry->second.document = document;
}

std::uint64_t JailCache::version(const model::Name& name) const {
    const std::lock_guard lock(mutex_);
    const auto id = by_key_.find(name.key());
    return id == by_key_.end() ? 0 : entries_.at(id->second).version;
}

}  // namespace jaild
