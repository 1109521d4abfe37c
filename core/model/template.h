#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/base/units.h"
#include "core/model/name.h"

/// Templates: the base trees that roots are made from.
namespace jaild::model {

/// How a template is named: "freebsd:14.2-p1", or "freebsd" and "freebsd:latest" for that name's latest version, or
/// "host", which is built in and has no version.
class TemplateRef {
public:
    static constexpr std::size_t kMaxVersion = 63;
    static constexpr std::size_t kMaxLength = Name::kMaxLength + 1 + kMaxVersion;

    /// A version matches `^[A-Za-z0-9][A-Za-z0-9._+-]{0,62}$`. `field`: the JSON pointer that the Error names; reasons
    /// "invalid_name" and "invalid_version".
    static Result<TemplateRef> parse(std::string_view text, std::string_view field = "/template");
    static Result<TemplateRef> make(std::string_view name, std::string_view version, std::string_view field);

    [[nodiscard]] const Name& name() const { return name_; }
    /// Empty: the latest one.
    [[nodiscard]] const std::string& version() const { return version_; }
    [[nodiscard]] bool latest() const { return version_.empty(); }
    [[nodiscard]] bool is_host() const { return name_.key() == "host"; }
    /// "freebsd:14.2-p1", "freebsd".
    [[nodiscard]] std::string text() const;

private:
    TemplateRef(Name name, std::string version) : name_(std::move(name)), version_(std::move(version)) {}
    Name name_;
    std::string version_;
};

/// `wanted` with the version that `current` names, when it asks for the latest of the same name: a jail keeps its
/// version until it is told another. Else `wanted` as it is.
std::string keep_version(const std::string& current, const std::string& wanted);

enum class TemplateState {
    importing,
    ready,
    removing,  ///< name and version stay reserved until nothing is left
};
std::string_view to_string(TemplateState state);

/// An archive that a template was made of, as it was read.
struct TemplateSet {
    std::string name;  ///< "base.txz"
    std::string sha256;
    std::uint64_t bytes = 0;
    bool operator==(const TemplateSet&) const = default;
};

/// A base tree that roots are made from: immutable once it is ready.
struct Template {
    TemplateId id;  ///< 0: the host's
    Name name;
    std::string version;  ///< empty: the host's
    TemplateState state = TemplateState::ready;
    bool latest = false;  ///< it is what its name alone stands for
    std::string description;
    std::string source;                      ///< where it is from, for people
    std::vector<std::string> private_parts;  ///< "/opt/data": copied into each thin root, beside the usual ones
    std::vector<TemplateSet> sets;
    std::uint64_t bytes = 0;    ///< of its files
    std::uint64_t entries = 0;  ///< files, directories and links
    UtcTime created_at;

    [[nodiscard]] std::string reference() const;
    [[nodiscard]] bool builtin() const { return id.value == 0; }
    bool operator==(const Template&) const = default;
};

/// The running host's own userland.
Template host_template();

/// `jails`: whose roots are made from it. `snapshots`: "web@before", of roots that were. {"name", "version",
/// "reference", …}
nlohmann::json to_json(const Template& value, const std::vector<std::string>& jails,
                       const std::vector<std::string>& snapshots);

/// An archive to import: of the host, from the net, or one that came with the request.
struct SetSource {
    std::string file{};     ///< absolute path of the host
    std::string url{};      ///< http or https
    bool uploaded = false;  ///< else `file` or `url`
    std::string sha256{};   ///< lower case; empty: any
    /// The last part of the path: "base.txz"; "upload".
    [[nodiscard]] std::string name() const;
    /// For people: the path, or the URL without its query, which can be a secret.
    [[nodiscard]] std::string place() const;
};

/// What a new template is to be made of: exactly one of archives, a jail and a directory.
struct TemplateRequest {
    Name name;
    std::string version{};  ///< empty: the next free number
    std::string description{};
    std::vector<std::string> private_parts{};
    std::vector<SetSource> sets{};  ///< unpacked one after the other
    std::string manifest{};         ///< URL of a MANIFEST with the checksums of all sets; empty: none
    std::optional<Name> jail{};     ///< copied with what it shares with its own template
    std::string directory{};        ///< of the host, copied; absolute

    /// For people.
    [[nodiscard]] std::string source() const;
};

/// What an updated version of a template is to be called.
struct TemplateUpdate {
    std::string version{};      ///< empty: the next free number
    std::string description{};  ///< empty: as the version that it is made of
};

/// How much a template may be asked with; each is tested.
struct TemplateLimits {
    static constexpr std::size_t description_bytes = 1024;
    static constexpr std::size_t sets = 16;
    static constexpr std::size_t private_parts = 64;
    static constexpr std::size_t path_bytes = 1023;
    static constexpr std::size_t url_bytes = 2047;
};

/// Reads what POST /v1/templates takes. Errc::invalid with its JSON pointer, as parse_spec; "name_reserved" for "host",
/// "invalid_checksum", "invalid_url", "invalid_value" for more than one source.
Result<TemplateRequest> parse_template_request(const nlohmann::json& object);
/// The same of an archive that comes as the body of its request: name, version, description, private and sha256.
Result<TemplateRequest> parse_template_upload(const nlohmann::json& object);

/// Reads what POST /v1/templates/{name}/update takes, as parse_template_request().
Result<TemplateUpdate> parse_template_update(const nlohmann::json& object);

}  // namespace jaild::model
