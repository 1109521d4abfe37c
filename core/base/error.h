#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace jaild {

/// What kind of failure it is; api/ maps each to one HTTP status, the CLI to an exit code.
enum class Errc {
    invalid,      ///< the request is wrong; `field` says where
    not_found,    ///< the named object does not exist
    conflict,     ///< it exists already, or its state forbids this now
    stale,        ///< an If-Match or a generation that is not the current one
    busy,         ///< somebody holds it; trying again later can help
    exhausted,    ///< a limit is reached: addresses, disk, descriptors, size of a body
    denied,       ///< the caller may not do this
    unsupported,  ///< this host or this build cannot do this; `remedy` says what would help
    kernel,       ///< a system call or a program of the host failed; `sys` has its errno
    corrupt,      ///< our own data cannot be trusted
};

/// One error value for the whole daemon; only api/ turns it into a status.
struct [[nodiscard]] Error {
    Errc code = Errc::kernel;
    std::string_view op{};      ///< literal naming the failed call or check: "jail_set", "validate"
    int sys = 0;                ///< errno, 0 when no system call failed
    std::string detail{};       ///< for a person: what failed, on which object; no secrets
    std::string_view reason{};  ///< literal, stable for programs: "name_in_use"; empty: the name of `code`
    std::string field{};        ///< JSON pointer (RFC 6901) to the wrong field, or empty
    std::string remedy{};       ///< for a person: what to do about it, or empty

    /// Maps an errno to a code (ENOENT: not_found; EBUSY: busy; ENOSPC, EDQUOT, EMFILE, ENFILE: exhausted; EPERM,
    /// EACCES: denied; else kernel) and appends its text to `detail`.
    static Error from_errno(std::string_view op, int saved, std::string detail = {});

    /// A refused value: Errc::invalid with its JSON pointer.
    static Error invalid(std::string_view reason, std::string field, std::string detail);

    /// `reason`, or the name of `code` where none was given: "not_found".
    [[nodiscard]] std::string_view name() const;

    /// One line for logs: "jail_set: conflict: <detail> (errno 17: File exists); <remedy>". Control characters, which a
    /// hostile file name or field can bring along, are written as "\x0a".
    [[nodiscard]] std::string to_string() const;
};

template <class T>
using Result = std::expected<T, Error>;

/// "not_found" for Errc::not_found.
std::string_view to_string(Errc code);

}  // namespace jaild
