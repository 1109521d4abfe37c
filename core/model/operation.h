#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/base/ids.h"
#include "core/base/units.h"

namespace jaild::model {

enum class OperationState { running, succeeded, failed, cancelled };
std::string_view to_string(OperationState state);

/// A problem kept with an operation: the fields of an Error that a client may see.
struct Problem {
    Errc kind = Errc::kernel;
    std::string code;
    std::string detail;
    std::string field;
    std::string remedy;
    int sys = 0;
    bool operator==(const Problem&) const = default;
};
Problem to_problem(const Error& error);
/// Of to_string(Errc); Errc::kernel for a word that is none.
Errc parse_problem_kind(std::string_view word);

/// How far an import is.
struct Progress {
    std::string phase;          ///< "downloading", "checking", "unpacking", "copying", "updating"
    std::string item;           ///< what is read: "base.txz", a jail, a directory; what the updater said last
    std::uint64_t done = 0;     ///< bytes of it
    std::uint64_t total = 0;    ///< its bytes; 0: unknown
    std::uint64_t bytes = 0;    ///< written so far
    std::uint64_t entries = 0;  ///< made so far
    bool operator==(const Progress&) const = default;
};

/// Long work that somebody asked for: of a jail, of a template, or of a snapshot. A jail's ends when the jail converges
/// at `generation`, or when that fails for good.
struct Operation {
    std::string id;    ///< 16 hexadecimal digits, from getrandom(2)
    std::string kind;  ///< "create", "update", "restart", "remove"; also "snapshot.restore"; else "template.import", …
    JailId jail;
    std::string jail_name;
    Generation generation = 0;
    Incarnation incarnation = 0;
    OperationState state = OperationState::running;
    std::vector<std::string> steps{};  ///< done so far, for people: "mount /usr", at most 64 kept
    std::optional<Problem> problem{};
    UtcTime created_at{};
    std::optional<UtcTime> finished_at{};
    TemplateId template_id{};            ///< 0: of a jail
    std::string template_name{};         ///< "freebsd:14.2-p1"
    SnapshotId snapshot_id{};            ///< 0: of a jail or a template
    std::string snapshot_name{};         ///< "web@before"
    std::optional<Progress> progress{};  ///< of one that runs; not stored
};
nlohmann::json to_json(const Operation& operation);

/// Something that happened, in the order of its commit. `data` never holds secrets.
struct Event {
    EventSeq seq;
    UtcTime at;
    std::string type;  ///< "jail.created", "jail.state", "drift.repaired", "step.failed", "operation.finished", …
    std::string jail;  ///< name, or empty
    std::string operation;  ///< id, or empty
    std::string data;       ///< a JSON object as text
};
nlohmann::json to_json(const Event& event);

}  // namespace jaild::model
