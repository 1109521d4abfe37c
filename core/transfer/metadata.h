#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/model/jail_spec.h"
#include "core/model/name.h"
#include "core/model/template.h"

/// What a jail's archive says of it before its tree comes. Pure.
namespace jaild::transfer {

/// Of what an archive holds and means. Another number is another meaning.
inline constexpr int kFormat = 1;

struct Metadata {
    model::Name name;
    model::JailSpec spec;                    ///< as somebody wrote it, secrets too: no address that was given out
    std::vector<model::TemplateSet> sets{};  ///< of its template; none: it was made of something else
    std::string system{};                    ///< whose programs are in the tree: "FreeBSD", "Linux"
    std::string snapshot{};                  ///< the name of the one that it is; empty: the root as it was
    std::string exported_at{};               ///< RFC 3339
    std::string version{};                   ///< of the jaild that wrote it
};

std::string to_text(const Metadata& metadata);

/// Errc::unsupported "export_format"; else Errc::invalid as parse_spec(), with the field in the archive's JSON:
/// "/spec/limits/memoryuse". What is known of a later format is not looked at.
Result<Metadata> parse(const std::string& text);

}  // namespace jaild::transfer
