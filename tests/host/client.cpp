#include "tests/host/client.h"

#include "tests/host/eventually.h"
#include "tests/results.h"

namespace jaild::test {
namespace {

using nlohmann::json;

/// A request that waits for the end of its operation.
HttpReply request(const Daemon& daemon, const std::string& method, const std::string& path, const json& body = {}) {
    const auto wait = std::chrono::duration_cast<std::chrono::seconds>(patience(std::chrono::seconds(60)));
    return daemon.request(method, path, body.is_null() ? "" : body.dump(),
                          "Prefer: wait=" + std::to_string(wait.count()) + "\r\n");
}

json answer(const HttpReply& reply, int status) {
    INFO(reply.body);
    REQUIRE(reply.status == status);
    return reply.body.empty() ? json() : json::parse(reply.body);
}

}  // namespace

json Client::get(const std::string& path) const {
    INFO(path);
    return answer(daemon_.request("GET", path), 200);
}

json Client::create(const json& spec) const {
    INFO(spec);
    return answer(request(daemon_, "POST", "/v1/jails", spec), 201);
}

json Client::change(const std::string& name, const json& patch, const std::string& query) const {
    INFO(name << ": " << patch);
    return answer(request(daemon_, "PATCH", "/v1/jails/" + name + query, patch), 200);
}

void Client::restart(const std::string& name) const {
    answer(request(daemon_, "POST", "/v1/jails/" + name + "/restart"), 200);
}

void Client::remove(const std::string& name) const {
    INFO(name);
    answer(request(daemon_, "DELETE", "/v1/jails/" + name + "?force=true"), 204);
}

std::string Client::state(const std::string& name) const {
    return jail(name).at("status").at("state");
}

bool Client::has_condition(const std::string& name, const std::string& type) const {
    const auto found = jail(name);
    for (const auto& condition : found.at("status").at("conditions"))
        if (condition.at("type") == type && condition.at("status") == true) return true;
    return false;
}

pid_t Client::command_pid(const std::string& name) const {
    const auto found = jail(name);
    INFO(found);
    REQUIRE(found.at("status").at("command_pid").is_number());
    return found.at("status").at("command_pid");
}

std::vector<std::string> Client::addresses(const std::string& name) const {
    const auto status = jail(name).at("status");
    std::vector<std::string> found;
    for (const std::string address : status.at("addresses")) found.push_back(address.substr(0, address.find('/')));
    return found;
}

std::string Client::log(const std::string& name) const {
    const auto reply = daemon_.request("GET", "/v1/jails/" + name + "/logs");
    REQUIRE(reply.status == 200);
    return reply.body;
}

json Client::exec(const std::string& name, const Argv& argv) const {
    INFO(name);
    return answer(daemon_.request("POST", "/v1/jails/" + name + "/exec", json{{"argv", argv}}.dump()), 200);
}

std::string Client::sh(const std::string& name, const std::string& line) const {
    const auto done = exec(name, {"/bin/sh", "-c", line});
    INFO(line << ": " << done);
    REQUIRE(done.at("exit_code") == 0);
    std::string text = done.at("stdout");
    if (text.ends_with('\n')) text.pop_back();
    return text;
}

std::int64_t Client::last_event() const {
    const auto page = get("/v1/events?follow=false&limit=1");
    return page.at("items").empty() ? 0 : page.at("items").back().at("seq").get<std::int64_t>();
}

std::vector<std::string> Client::repairs(std::int64_t after, const std::string& kind, const std::string& name) const {
    std::vector<std::string> steps;
    const auto page = get("/v1/events?follow=false&limit=1000&after=" + std::to_string(after));
    for (const auto& event : page.at("items")) {
        const auto& data = event.at("data");
        if (event.at("type") != "drift.repaired" || data.value(kind, "") != name) continue;
        for (const std::string step : data.at("steps")) steps.push_back(step);
    }
    return steps;
}

InstanceId Client::instance() const {
    return value_of(InstanceId::parse(get("/v1/host").at("instance").get<std::string>()));
}

pid_t Client::shim(const std::string& name) const {
    return parent_of(command_pid(name));
}

std::string leftovers_beside(const TestHost& host, const Daemon& daemon) {
    std::string all;
    for (const auto& line : host.leftovers())
        if (!line.starts_with("process " + std::to_string(daemon.pid()) + ':')) all += line + '\n';
    return all;
}

}  // namespace jaild::test
