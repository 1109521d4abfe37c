#include "cli/context.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "cli/table.h"

namespace jaild::cli {
namespace {

using nlohmann::json;

void print_error(const std::string& detail, const std::string& field, const std::string& remedy) {
    fmt::print(stderr, "jaildctl: {}\n", detail);
    if (!field.empty()) fmt::print(stderr, "  field:  {}\n", field);
    if (!remedy.empty()) fmt::print(stderr, "  remedy: {}\n", remedy);
}

bool output_failed = false;

/// Says so once.
void output_fails(int error) {
    if (std::exchange(output_failed, true) || error == EPIPE) return;
    fmt::print(stderr, "jaildctl: output cannot be written: {}\n",
               std::error_code(error, std::generic_category()).message());
}

/// One line on a terminal that the next output overwrites.
class Progress {
public:
    explicit Progress(const std::string& text) : shown_(isatty(STDERR_FILENO) != 0) {
        if (shown_) fmt::print(stderr, "{} ...", text);
    }
    ~Progress() {
        if (shown_) fmt::print(stderr, "\r\x1b[K");
    }
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

private:
    bool shown_;
};

}  // namespace

std::string text(const json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? printable(found->get<std::string>()) : std::string{};
}

int report(const Error& error) {
    print_error(error.detail.empty() ? error.to_string() : error.detail, error.field, error.remedy);
    if (error.reason == "no_daemon") return kNoDaemon;
    return error.reason == "host_invalid" || error.reason == "tls_unsupported" ? kUsage : kFailed;
}

int report(const client::Response& response) {
    const auto problem = json::parse(response.body, nullptr, false);
    if (!problem.is_object()) {
        fmt::print(stderr, "jaildctl: jaild answered {} without a reason\n", response.status);
        return kFailed;
    }
    auto detail = text(problem, "detail");
    if (detail.empty()) detail = text(problem, "title");
    print_error(fmt::format("{} ({})", detail, text(problem, "code")), text(problem, "field"), text(problem, "remedy"));
    return kFailed;
}

std::optional<client::Response> call(Context& context, const client::Request& request, int& exit) {
    auto response = context.client.send(request);
    if (!response) {
        exit = report(response.error());
        return std::nullopt;
    }
    if (response->status / 100 != 2) {
        exit = report(*response);
        return std::nullopt;
    }
    return *std::move(response);
}

std::optional<json> get(Context& context, const std::string& target, int& exit) {
    const auto response = call(context, {.target = target}, exit);
    if (!response) return std::nullopt;
    auto value = json::parse(response->body, nullptr, false);
    if (!value.is_discarded()) return value;
    fmt::print(stderr, "jaildctl: jaild answered something that is no JSON\n");
    exit = kFailed;
    return std::nullopt;
}

void print_json(const json& value) {
    write_out(value.dump(2) + '\n');
}

bool write_out(std::string_view data) {
    const bool written = std::fwrite(data.data(), 1, data.size(), stdout) == data.size() && std::fflush(stdout) == 0;
    if (!written) output_fails(errno);
    return written;
}

int finish_output(int exit) {
    if (std::fflush(stdout) != 0) output_fails(errno);
    return output_failed && exit == kDone ? kFailed : exit;
}

std::string body_text(const json& body) {
    return body.dump(-1, ' ', false, json::error_handler_t::replace);
}

client::Request change(const Context& context, std::string method, std::string target, std::string body) {
    client::Request request{.method = std::move(method), .target = std::move(target), .body = std::move(body)};
    if (context.wait) request.headers.emplace_back("Prefer", fmt::format("wait={}", kWaitSeconds));
    return request;
}

namespace {

/// Condition "Ready" of a jail; null when the answer is about none.
json ready_of(const json& jail) {
    if (!jail.is_object() || !jail.contains("status") || !jail["status"].is_object()) return {};
    for (const auto& condition : jail["status"].value("conditions", json::array()))
        if (text(condition, "type") == "Ready") return condition;
    return {};
}

/// A change that is waited for does not end while the jail waits for another that somebody has to bring up first.
int report_unfinished(Context& context, const std::string& doing, const json& answer) {
    int exit = kDone;
    const auto name = text(answer, "name");
    const auto jail = name.empty() ? std::nullopt : get(context, jail_target(name), exit);
    const auto ready = jail ? ready_of(*jail) : json();
    if (!ready.is_null() && text(ready, "reason") == "DependencyDown") {
        if (!context.json) fmt::print("{}: it {}\n", doing, text(ready, "message"));
        return kDone;
    }
    fmt::print(stderr, "jaildctl: {} still goes on after {} s; see: jaildctl why NAME\n", doing, kWaitSeconds);
    return kFailed;
}

}  // namespace

int apply(Context& context, const client::Request& request, const std::string& doing, const std::string& done,
          json& answer) {
    int exit = kDone;
    std::optional<client::Response> response;
    {
        const Progress progress(doing);
        response = call(context, request, exit);
    }
    if (!response) return exit;
    if (auto value = json::parse(response->body, nullptr, false); !value.is_discarded()) answer = std::move(value);
    if (response->status == 202 && context.wait) return report_unfinished(context, doing, answer);
    if (const auto ready = ready_of(answer); !ready.is_null() && text(ready, "reason") == "TooManyRestarts") {
        fmt::print(stderr, "jaildctl: {}: {}\n", doing, text(ready, "message"));
        return kFailed;
    }
    if (!context.json) fmt::print("{}\n", response->status == 202 ? doing + " (not waited for)" : done);
    return kDone;
}

std::string jail_target(const std::string& name, const std::string& rest) {
    return "/v1/jails/" + client::encode(name) + rest;
}

}  // namespace jaild::cli
