#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "api/client/client.h"
#include "core/base/error.h"

namespace jaild::cli {

/// Exit codes that scripts rely on; exec passes the command's own on instead.
enum Exit { kDone = 0, kFailed = 1, kUsage = 2, kNoDaemon = 3 };

/// What all commands share.
struct Context {
    client::Client client;
    bool json = false;  ///< -o json: what the API answered, nothing else on standard output
    bool wait = true;   ///< until the jail is as asked for
};

/// How long a command waits for the jail to be as asked for.
inline constexpr int kWaitSeconds = 300;

/// Sends a request. Not a 2xx, no daemon: says so on standard error; then there is no value, and `exit` is set.
std::optional<client::Response> call(Context& context, const client::Request& request, int& exit);
/// The same for a GET of JSON.
std::optional<nlohmann::json> get(Context& context, const std::string& target, int& exit);

/// A string of an answer, safe for a terminal; empty where there is none (null, missing).
std::string text(const nlohmann::json& object, const char* key);

/// "jaildctl: <detail>", field and remedy on standard error; returns the exit code for it.
int report(const Error& error);
int report(const client::Response& problem);

/// Indented.
void print_json(const nlohmann::json& value);
/// To standard output, now. False when that takes no more: this was said, unless its reader has left (EPIPE).
bool write_out(std::string_view data);
/// At the end: `exit`, or kFailed where all would be well if the output had arrived.
int finish_output(int exit);

/// For a request. Arguments are bytes, JSON is UTF-8: what is not becomes U+FFFD.
std::string body_text(const nlohmann::json& body);
/// A request that changes something; waits for it unless --no-wait.
client::Request change(const Context& context, std::string method, std::string target, std::string body = {});
/// Sends it and says what became of it in one line: `done` ("started web"). With -o json it says nothing; `answer` is
/// what the API answered, null where that was nothing.
int apply(Context& context, const client::Request& request, const std::string& doing, const std::string& done,
          nlohmann::json& answer);

/// "/v1/jails/web", the name percent-encoded.
std::string jail_target(const std::string& name, const std::string& rest = {});

}  // namespace jaild::cli
