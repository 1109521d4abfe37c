#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/model/jail.h"
#include "core/model/operation.h"

namespace jaild {

/// The rows of all jails as last committed, and the JSON made of each: so that reads wait for nobody. Thread-safe;
/// no call blocks beyond a short lock.
class JailCache {
public:
    struct Document {
        std::shared_ptr<const std::string> json;
        std::string etag;
    };

    /// After a commit. A row older than the one held, or of a jail that was dropped, is ignored: callers may overtake
    /// each other between their commit and this call.
    void put(const model::Jail& row);
    /// The row is gone from the store.
    void drop(JailId id);
    /// Drops the row that `jail.removed` is about: the event is written in the transaction that deletes it.
    void follow(const model::Event& event);
    /// Its status changed: the document is made anew when somebody asks.
    void touch(JailId id);

    [[nodiscard]] std::optional<model::Jail> find(const model::Name& name) const;
    /// In the order of their ids.
    [[nodiscard]] std::vector<model::Jail> all() const;

    /// The kept document, if it is current.
    [[nodiscard]] std::optional<Document> document(const model::Name& name) const;
    /// Keeps a document that was made of `row`, unless the jail was touched since `version`.
    void keep(const model::Jail& row, std::uint64_t version, const Document& document);
    /// Grows with every change of that jail; read it before making a document.
    [[nodiscard]] std::uint64_t version(const model::Name& name) const;

private:
    static constexpr std::size_t kRememberedDrops = 4096;

    struct Entry {
        model::Jail row;
        std::uint64_t version = 0;
        std::optional<Document> document;
    };
    mutable std::mutex mutex_;
    std::map<JailId, Entry> entries_;
    std::unordered_map<std::string, JailId> by_key_;  ///< Name::key()
    std::set<JailId> dropped_;                        ///< the newest kRememberedDrops; ids are never used again
};

}  // namespace jaild
