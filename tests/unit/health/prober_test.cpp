#include "core/health/prober.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <thread>
#include <vector>

#include "core/kernel/memory/memory_kernel.h"
#include "tests/results.h"

using namespace jaild;
using jaild::test::value_of;
using model::ProbeKind;
using std::chrono::seconds;

namespace {

/// A server on the loopback, with a thread that does with each connection what the test says.
class Server {
public:
    explicit Server(std::function<void(int)> serve) : serve_(std::move(serve)) {
        socket_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in own{};
        own.sin_family = AF_INET;
        own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) == 0);
        REQUIRE(::listen(socket_.get(), 64) == 0);
        socklen_t length = sizeof own;
        REQUIRE(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&own), &length) == 0);
        port_ = ntohs(own.sin_port);
        thread_ = std::thread([this] {
            for (;;) {
                const UniqueFd client(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
                if (!client) return;
                serve_(client.get());
            }
        });
    }
    ~Server() {
        ::shutdown(socket_.get(), SHUT_RDWR);
        thread_.join();
    }
    [[nodiscard]] std::uint16_t port() const { return port_; }

private:
    std::function<void(int)> serve_;
    UniqueFd socket_;
    std::uint16_t port_ = 0;
    std::thread thread_;
};

std::string request_head(int client) {
    std::string head;
    for (char c = 0; head.find("\r\n\r\n") == std::string::npos && ::recv(client, &c, 1, 0) == 1;) head += c;
    return head;
}

void send_all(int client, std::string_view text) {
    while (!text.empty()) {
        const auto sent = ::send(client, text.data(), text.size(), MSG_NOSIGNAL);
        if (sent <= 0) return;
        text.remove_prefix(static_cast<std::size_t>(sent));
    }
}

std::function<void(int)> answering(std::string answer) {
    return [answer](int client) {
        (void)request_head(client);
        send_all(client, answer);
    };
}

class HostReach final : public kernel::Reach {
public:
    Result<UniqueFd> connect(JailId, const IpAddress& address, std::uint16_t port) override {
        return kernel::begin_connection(address, port);
    }
    [[nodiscard]] bool from_within() const override { return true; }
};

class HostKernel final : public kernel::MemoryKernel {
public:
    HostKernel() : MemoryKernel({.instance = value_of(InstanceId::parse("k3f9a")), .state_directory = "/s"}) {}
    kernel::Reach& reach() override { return reach_; }

private:
    HostReach reach_;
};

health::Target target_at(std::uint16_t port, ProbeKind kind = ProbeKind::http) {
    return {.id = JailId{1},
            .life = 1,
            .spec = {.kind = kind, .port = port, .path = "/status?full=1", .timeout = seconds{1}},
            .address = value_of(IpAddress::parse("127.0.0.1")),
            .host = "web:80"};
}

/// Follows targets until each has had an outcome.
class Asked {
public:
    explicit Asked(Milliseconds again = seconds{3'600}) : again_(again) {}

    health::Outcome first(const health::Target& target) {
        prober_.follow(target, Milliseconds{0});
        wait_for(1);
        const std::lock_guard lock(mutex_);
        return outcomes_.front();
    }
    void wait_for(std::size_t count) {
        std::unique_lock lock(mutex_);
        REQUIRE(changed_.wait_for(lock, seconds{30}, [&] { return outcomes_.size() >= count; }));
    }
    std::vector<health::Outcome> outcomes() {
        const std::lock_guard lock(mutex_);
        return outcomes_;
    }
    health::Prober& prober() { return prober_; }

private:
    Milliseconds again_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<health::Outcome> outcomes_;
    HostKernel kernel_;
    health::Prober prober_{kernel_, [this](const health::Target&, const health::Outcome& outcome) {
                               const std::lock_guard lock(mutex_);
                               outcomes_.push_back(outcome);
                               changed_.notify_all();
                               return again_;
                           }};
};

health::Outcome outcome_of(const health::Target& target) {
    return Asked().first(target);
}

}  // namespace

TEST_CASE("a tcp probe succeeds where somebody listens", "[health][prober]") {
    std::uint16_t port = 0;
    {
        const Server server([](int) {});
        port = server.port();
        CHECK(outcome_of(target_at(port, ProbeKind::tcp)).good);
    }
    const auto refused = outcome_of(target_at(port, ProbeKind::tcp));
    CHECK_FALSE(refused.good);
    CHECK(refused.message == "Connection refused");
}

TEST_CASE("an http probe asks for its path and judges the status", "[health][prober]") {
    struct Case {
        const char* answer;
        const char* message;
    };
    for (const auto& [answer, message] :
         std::initializer_list<Case>{{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", ""},
                                     {"HTTP/1.0 204 None\r\n\r\n", ""},
                                     {"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\n\r\n", ""},
                                     {"HTTP/1.1 503 Busy\r\n\r\n", "status 503, not 200 to 399"},
                                     {"", "the connection was closed without an answer"},
                                     {"SSH-2.0-OpenSSH_9.2\r\n\r\n", "the answer is no HTTP: bad version"}}) {
        CAPTURE(answer);
        const Server server(answering(answer));
        const auto outcome = outcome_of(target_at(server.port()));
        CHECK(outcome.message == message);
        CHECK(outcome.good == outcome.message.empty());
    }
}

TEST_CASE("what an http probe sends", "[health][prober]") {
    std::string head;
    {
        const Server server([&](int client) {
            head = request_head(client);
            send_all(client, "HTTP/1.1 200 OK\r\n\r\n");
        });
        CHECK(outcome_of(target_at(server.port())).good);
    }
    CHECK(head.starts_with("GET /status?full=1 HTTP/1.1\r\nHost: web:80\r\nUser-Agent: jaild/"));
    CHECK(head.find("Connection: close\r\n") != std::string::npos);
}

TEST_CASE("an answer without an end is read up to a limit, and one that comes too late is a failure",
          "[health][prober]") {
    const Server endless([](int client) {
        (void)request_head(client);
        send_all(client, "HTTP/1.1 200 OK\r\nX-Long: " + std::string(64 * 1024, 'x'));
    });
    CHECK(outcome_of(target_at(endless.port())).message == "the answer's head has more than 16384 bytes");
    const Server silent([](int client) {
        // Until the probe has given up.
        for (char c = 0; ::recv(client, &c, 1, 0) == 1;) {
        }
    });
    CHECK(outcome_of(target_at(silent.port())).message == "no answer within 1 s");
}

TEST_CASE("a jail is asked again and again, and nobody hears of one that is forgotten", "[health][prober]") {
    const Server server(answering("HTTP/1.1 200 OK\r\n\r\n"));
    Asked asked(Milliseconds{5});
    asked.prober().follow(target_at(server.port()), Milliseconds{0});
    asked.wait_for(5);
    // The same again is nothing new.
    asked.prober().follow(target_at(server.port()), Milliseconds{0});
    asked.prober().forget(JailId{1});
    auto other = target_at(server.port());
    other.id = JailId{2};
    asked.prober().follow(other, Milliseconds{0});
    const auto before = asked.outcomes().size();
    asked.wait_for(before + 3);
    for (const auto& outcome : asked.outcomes()) CHECK(outcome.good);
    asked.prober().stop();
    const auto after = asked.outcomes().size();
    std::this_thread::sleep_for(Milliseconds{50});
    CHECK(asked.outcomes().size() == after);
}

TEST_CASE("a thousand jails are asked by one thread", "[health][prober]") {
    const Server server(answering("HTTP/1.1 200 OK\r\n\r\n"));
    Asked asked;
    for (std::int64_t id = 1; id <= 1'000; ++id) {
        auto target = target_at(server.port());
        target.id = JailId{id};
        target.spec.timeout = seconds{5};
        asked.prober().follow(target, Milliseconds{500});
    }
    asked.wait_for(1'000);
    for (const auto& outcome : asked.outcomes()) CHECK(outcome.message.empty());
}

TEST_CASE("with every core busy no probe fails that is answered within its timeout", "[health][prober][load]") {
    const Server server([](int client) {
        (void)request_head(client);
        // A tenth of the timeout is its own; how late it is woken, is the machine's.
        std::this_thread::sleep_for(Milliseconds{100});
        send_all(client, "HTTP/1.1 200 OK\r\n\r\n");
    });
    std::atomic<bool> busy{true};
    std::vector<std::thread> burners;
    for (unsigned n = 0; n < 8 * std::max(1U, std::thread::hardware_concurrency()); ++n)
        burners.emplace_back([&busy] {
            while (busy) {
            }
        });
    {
        Asked asked(Milliseconds{10});
        asked.prober().follow(target_at(server.port()), Milliseconds{0});
        asked.wait_for(15);
        for (const auto& outcome : asked.outcomes()) CHECK(outcome.message.empty());
    }
    busy = false;
    for (auto& one : burners) one.join();
}
