#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

/// The file MANIFEST that lies beside the archives of a FreeBSD release. Pure.
namespace jaild::model {

/// SHA-256 by the name of the archive. A line has the name, its SHA-256, the number of its entries and more, separated
/// by tabs (release/scripts/make-manifest.sh of FreeBSD); what comes after the checksum is not looked at. Nothing when
/// a line is none of these, or names an archive twice: it is not a MANIFEST, or was cut short.
std::optional<std::map<std::string, std::string>> parse_manifest(std::string_view text);

}  // namespace jaild::model
