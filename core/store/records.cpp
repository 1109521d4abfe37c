#include "core/store/records.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/store/migrations.h"
#include "core/store/sequences.h"
#include "core/store/sqlite_error.h"

namespace jaild::store::records {
namespace {

using nlohmann::json;

constexpr int kRecordFormat = 1;
constexpr std::string_view kHexDigits = "0123456789abcdef";

std::string hex(const std::string& bytes) {
    std::string text;
    for (const char byte : bytes) {
        const std::size_t value = static_cast<unsigned char>(byte);
        text += kHexDigits[value / 16];
        text += kHexDigits[value % 16];
    }
    return text;
}

std::optional<std::string> unhex(std::string_view text) {
    std::string bytes;
    if (text.size() % 2 != 0) return std::nullopt;
    for (std::size_t at = 0; at < text.size(); at += 2) {
        const auto high = kHexDigits.find(text[at]);
        const auto low = kHexDigits.find(text[at + 1]);
        if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
        bytes += static_cast<char>(high * 16 + low);
    }
    return bytes;
}

json value_of_column(const Statement& statement, int column) {
    switch (statement.type(column)) {
        case Statement::Type::null:
            return nullptr;
        case Statement::Type::integer:
            return statement.integer(column);
        case Statement::Type::text:
            return statement.text(column);
        case Statement::Type::blob:
            break;
    }
    return {{"hex", hex(statement.blob(column))}};
}

/// Rows by the id that one of their columns has.
Result<std::map<std::int64_t, json>> rows_by(Connection& connection, std::string_view table, std::string_view column) {
    std::map<std::int64_t, json> rows;
    auto statement = connection.prepare(fmt::format("SELECT * FROM {}", table));
    for (;;) {
        auto more = statement.step();
        if (!more) return std::unexpected(more.error());
        if (!*more) return rows;
        json row = json::object();
        for (int at = 0; at < statement.columns(); ++at) row[statement.name(at)] = value_of_column(statement, at);
        auto& own = rows[row.at(std::string(column)).get<std::int64_t>()];
        own.push_back(std::move(row));
    }
}

/// What is said of a text twice must be the same text: no map of hashes, keys are sorted.
std::string text_of(int schema, std::string name, json rows) {
    const json record{
        {"format", kRecordFormat}, {"schema", schema}, {"name", std::move(name)}, {"rows", std::move(rows)}};
    return record.dump(1, ' ', false, json::error_handler_t::replace) + '\n';
}

Result<void> dump_kind(Connection& connection, const Kind& kind, int schema,
                       std::map<std::string, std::string>& texts) {
    auto own = rows_by(connection, kind.table, "id");
    if (!own) return std::unexpected(own.error());
    std::vector<std::pair<std::string, std::map<std::int64_t, json>>> children;
    for (const auto& child : kind.children) {
        auto rows = rows_by(connection, child.table, child.column);
        if (!rows) return std::unexpected(rows.error());
        children.emplace_back(child.table, *std::move(rows));
    }
    for (auto& [id, rows] : *own) {
        auto name = rows.at(0).value("name", std::string());
        json all{{kind.table, std::move(rows)}};
        for (auto& [table, of_all] : children)
            if (const auto found = of_all.find(id); found != of_all.end()) all[table] = std::move(found->second);
        texts.emplace(fmt::format("{}/{}", kind.table, id), text_of(schema, std::move(name), std::move(all)));
    }
    return {};
}

Result<void> dump_meta(Connection& connection, int schema, std::map<std::string, std::string>& texts) {
    json rows = json::array();
    auto statement = connection.prepare("SELECT key, value FROM meta ORDER BY key");
    for (;;) {
        auto more = statement.step();
        if (!more) return std::unexpected(more.error());
        if (!*more) break;
        rows.push_back({{"key", statement.text(0)}, {"value", statement.text(1)}});
    }
    auto ids = sequences(connection);
    if (!ids) return std::unexpected(ids.error());
    json highest = json::object();
    // Those of history change with every event.
    for (const auto& kind : kinds())
        if (const auto found = ids->find(kind.table); found != ids->end()) highest[found->first] = found->second;
    const json record{{"format", kRecordFormat},
                      {"schema", schema},
                      {"name", ""},
                      {"rows", {{"meta", std::move(rows)}}},
                      {"sequences", std::move(highest)}};
    texts.emplace(kMeta, record.dump(1) + '\n');
    return {};
}

Result<void> dump_all(Connection& connection, std::map<std::string, std::string>& texts) {
    const auto schema = schema_version(connection);
    if (!schema) return std::unexpected(schema.error());
    for (const auto& kind : kinds())
        if (auto done = dump_kind(connection, kind, *schema, texts); !done) return done;
    return dump_meta(connection, *schema, texts);
}

/// They become a part of a statement.
bool is_column(std::string_view name) {
    return !name.empty() && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    });
}

bool is_known(std::string_view table) {
    if (table == kMeta) return true;
    return std::ranges::any_of(kinds(), [&](const Kind& kind) {
        return kind.table == table ||
               std::ranges::find(kind.children, table, &Kind::Child::table) != kind.children.end();
    });
}

Error damaged(std::string detail) {
    return Error{.code = Errc::corrupt, .op = "record", .detail = std::move(detail), .reason = "record_damaged"};
}

bool bind_value(Statement& statement, int position, const json& value) {
    if (value.is_null())
        statement.bind(position, std::nullopt);
    else if (value.is_number_integer())
        statement.bind(position, value.get<std::int64_t>());
    else if (value.is_string())
        statement.bind(position, std::string_view(value.get_ref<const std::string&>()));
    else if (value.is_object() && value.contains("hex") && value["hex"].is_string()) {
        const auto bytes = unhex(value["hex"].get_ref<const std::string&>());
        if (!bytes) return false;
        statement.bind(position, BlobView{.data = bytes->data(), .size = bytes->size()});
    } else {
        return false;
    }
    return true;
}

}  // namespace

const std::vector<Kind>& kinds() {
    // In the order in which one needs the other.
    static const std::vector<Kind> kAll{
        {.table = "networks", .children = {{.table = "pools", .column = "network"}}},
        {.table = "templates", .children = {}},
        {.table = "jails",
         .children = {{.table = "interfaces", .column = "jail"},
                      {.table = "addresses", .column = "jail"},
                      {.table = "aliases", .column = "jail"}}},
        {.table = "snapshots", .children = {}},
        {.table = "jail_pools", .children = {}},
    };
    return kAll;
}

Result<std::map<std::string, std::string>> dump(Connection& connection) {
    std::map<std::string, std::string> texts;
    if (auto begun = connection.run("BEGIN"); !begun) return std::unexpected(begun.error());
    auto done = dump_all(connection, texts);
    auto ended = connection.run("COMMIT");
    if (!done) return std::unexpected(done.error());
    if (!ended) return std::unexpected(ended.error());
    return texts;
}

Result<Record> Record::parse(std::string_view text) {
    const auto record = json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!record.is_object() || !record.contains("format") || record["format"] != kRecordFormat ||
        !record.contains("rows") || !record["rows"].is_object())
        return std::unexpected(damaged("it is no record"));
    const auto schema = record.find("schema");
    if (schema == record.end() || !schema->is_number_integer()) return std::unexpected(damaged("it has no schema"));
    Record parsed;
    parsed.schema_ = schema->get<int>();
    if (const auto name = record.find("name"); name != record.end() && name->is_string()) parsed.name_ = *name;
    for (const auto& [table, rows] : record["rows"].items()) {
        if (!is_known(table) || !rows.is_array()) return std::unexpected(damaged("it has rows of no table: " + table));
        for (const auto& row : rows) {
            Row columns;
            if (!row.is_object()) return std::unexpected(damaged("a row of it is none"));
            for (const auto& [column, value] : row.items()) {
                if (!is_column(column)) return std::unexpected(damaged("it has a column that is none: " + column));
                columns.emplace_back(column, value.dump());
            }
            parsed.rows_.emplace_back(table, std::move(columns));
        }
    }
    if (const auto ids = record.find("sequences"); ids != record.end() && ids->is_object())
        for (const auto& [table, id] : ids->items())
            if (is_known(table) && id.is_number_integer()) parsed.sequences_[table] = id.get<std::int64_t>();
    return parsed;
}

Result<void> Record::insert(Connection& connection) const {
    for (const auto& [table, row] : rows_) {
        std::string columns;
        std::string places;
        for (std::size_t at = 0; at < row.size(); ++at) {
            columns += (at > 0 ? ", " : "") + row[at].first;
            places += fmt::format("{}?{}", at > 0 ? ", " : "", at + 1);
        }
        auto statement = connection.prepare(fmt::format("INSERT INTO {} ({}) VALUES ({})", table, columns, places));
        for (std::size_t at = 0; at < row.size(); ++at)
            if (!bind_value(statement, static_cast<int>(at + 1), json::parse(row[at].second)))
                return std::unexpected(damaged(fmt::format("column {} of {} has no value", row[at].first, table)));
        auto done = statement.step();
        if (!done) return std::unexpected(done.error());
    }
    return {};
}

}  // namespace jaild::store::records
