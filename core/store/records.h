#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/store/connection.h"

/// What the database knows of each jail, network, template, snapshot and pool, as a text of its own: the rows as they
/// are, secrets too, so that the database can be made again from them. History (operations, events, audit) is not in
/// them. Blocking.
namespace jaild::store::records {

/// A folder of records, "jails", and the table of the same name, with the tables whose rows go along.
struct Kind {
    std::string_view table;
    struct Child {
        std::string_view table;
        std::string_view column;  ///< whose it is
    };
    std::vector<Child> children;
};
const std::vector<Kind>& kinds();

/// Of the database itself: its instance, its host, the highest ids.
inline constexpr std::string_view kMeta = "meta";

/// Of the files that hold them.
inline constexpr std::string_view kEnding = ".json";
inline constexpr std::size_t kLargest = 16 << 20;

/// By name without its ending: "jails/12", "meta". One consistent moment.
Result<std::map<std::string, std::string>> dump(Connection& connection);

/// A text of dump() that was read again.
class Record {
public:
    /// Errc::corrupt for a text that is none, or is not whole.
    static Result<Record> parse(std::string_view text);
    /// The schema of the database that it was made of.
    [[nodiscard]] int schema() const { return schema_; }
    /// "web": for people; may be empty.
    [[nodiscard]] const std::string& name() const { return name_; }
    /// The highest ids, of kMeta.
    [[nodiscard]] const std::map<std::string, std::int64_t, std::less<>>& sequences() const { return sequences_; }
    /// Its rows, into a database of that schema. References are not checked.
    Result<void> insert(Connection& connection) const;

private:
    using Row = std::vector<std::pair<std::string, std::string>>;  ///< column, and its value as JSON text
    int schema_ = 0;
    std::string name_;
    std::map<std::string, std::int64_t, std::less<>> sequences_;
    std::vector<std::pair<std::string, Row>> rows_;  ///< by table
};

}  // namespace jaild::store::records
