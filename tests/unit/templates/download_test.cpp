#include "core/templates/download.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>

#include "tests/unit/base/playground.h"

using namespace jaild;
using namespace jaild::test;
using namespace std::chrono_literals;
using templates::DownloadLimits;

namespace {

/// An HTTP server on loopback that says the same to everybody, whatever it is asked for.
class DownloadServer {
public:
    enum class Then {
        close,
        hold,     ///< nothing more comes, and the connection stays
        go_on,    ///< the text again and again
        trickle,  ///< a byte now and then
    };

    explicit DownloadServer(std::string answer, Then then = Then::close)
        : answer_(std::move(answer)),
          then_(then),
          listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
          stop_(value_of(Pipe::create())) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        socklen_t size = sizeof address;
        REQUIRE(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
        REQUIRE(::listen(listener_.get(), 8) == 0);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { serve(); });
    }
    ~DownloadServer() {
        ending_ = true;
        stop_.write.reset();
        thread_.join();
    }
    DownloadServer(const DownloadServer&) = delete;
    DownloadServer& operator=(const DownloadServer&) = delete;

    [[nodiscard]] std::string url(const std::string& path = "/base.txz") const {
        return "http://127.0.0.1:" + std::to_string(port_) + path;
    }
    [[nodiscard]] int asked() const { return asked_; }

private:
    bool wait_for(int descriptor, int milliseconds) {
        std::array watched{pollfd{.fd = stop_.read.get(), .events = POLLIN, .revents = 0},
                           pollfd{.fd = descriptor, .events = POLLIN, .revents = 0}};
        ::poll(watched.data(), watched.size(), milliseconds);
        return !ending_ && watched[1].revents != 0;
    }
    void serve() {
        while (!ending_) {
            if (!wait_for(listener_.get(), -1)) continue;
            const UniqueFd client(::accept(listener_.get(), nullptr, nullptr));
            if (!client) continue;
            talk(client.get());
        }
    }
    void talk(int client) {
        std::string head;
        std::array<char, 4096> buffer{};
        while (!head.contains("\r\n\r\n") && (head.empty() || head.starts_with("GET "))) {
            const auto got = ::recv(client, buffer.data(), buffer.size(), 0);
            if (got <= 0) return;
            head.append(buffer.data(), static_cast<std::size_t>(got));
        }
        ++asked_;
        bool there = send(client, answer_);
        const std::string more(1 << 16, 'x');
        while (there && !ending_ && then_ == Then::go_on) there = send(client, more);
        while (there && !ending_ && then_ == Then::trickle) {
            there = send(client, "x");
            (void)wait_for(-1, 20);
        }
        // Until the client goes.
        while (there && !ending_ && then_ == Then::hold) there = !wait_for(client, -1);
    }
    static bool send(int client, std::string_view text) {
        while (!text.empty()) {
            const auto put = ::send(client, text.data(), text.size(), MSG_NOSIGNAL);
            if (put <= 0) return false;
            text.remove_prefix(static_cast<std::size_t>(put));
        }
        return true;
    }

    std::string answer_;
    Then then_;
    UniqueFd listener_;
    Pipe stop_;
    int port_ = 0;
    std::atomic<bool> ending_ = false;
    std::atomic<int> asked_ = 0;
    std::thread thread_;
};

std::string download_answer(std::size_t length, const std::string& body) {
    return "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n" + body;
}

/// Into a file of its own.
class DownloadClient : public Playground {
public:
    DownloadClient() : file_(::open((home() / "file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) { REQUIRE(file_); }
    Result<std::uint64_t> get(const std::string& url, DownloadLimits limits = {.bytes = 1 << 20}) {
        return templates::download(
            url, file_.get(), limits,
            [this](std::uint64_t done, std::uint64_t total) {
                done_ = done;
                total_ = total;
            },
            [this] { return interrupt_after_ > 0 && done_ >= interrupt_after_; });
    }
    [[nodiscard]] std::string text() const {
        std::ifstream in(home() / "file");
        return {std::istreambuf_iterator<char>(in), {}};
    }
    std::uint64_t done_ = 0;
    std::uint64_t total_ = 0;
    std::uint64_t interrupt_after_ = 0;

private:
    UniqueFd file_;
};

}  // namespace

TEST_CASE("what lies at a URL comes as it is", "[download]") {
    const std::string body = std::string("first\0second\n", 13) + std::string(300'000, 'b');
    const DownloadServer server(download_answer(body.size(), body));
    DownloadClient client;
    CHECK(value_of(client.get(server.url("/a/base.txz?x=1"))) == body.size());
    CHECK(client.text() == body);
    CHECK(client.done_ == body.size());
}

TEST_CASE("a download that fails says why", "[download]") {
    DownloadClient client;
    SECTION("a status") {
        const DownloadServer server("HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 4\r\n\r\ngone");
        const auto error = error_of(client.get(server.url()));
        CHECK(error.reason == "download_failed");
        CHECK(error.detail.contains(server.url()));
        CHECK((error.detail.contains("404") || error.detail.contains("Not Found")));
        CHECK(client.text().empty());
    }
    SECTION("a body that was cut short") {
        const DownloadServer server(download_answer(1000, "only this"));
        CHECK(error_of(client.get(server.url())).reason == "download_failed");
    }
    SECTION("nobody there") {
        std::string url;
        {
            const DownloadServer server("");
            url = server.url();
        }
        CHECK(error_of(client.get(url)).reason == "download_failed");
    }
    SECTION("no TLS there") {
        const DownloadServer server("no\n");
        CHECK(error_of(client.get("https" + server.url().substr(4))).reason == "download_failed");
    }
    SECTION("a redirection to itself") {
        const DownloadServer server(
            "HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n");
        CHECK(error_of(client.get(server.url())).reason == "download_failed");
        CHECK(server.asked() < 30);
    }
    SECTION("a redirection to a file of the host") {
        const DownloadServer server(
            "HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n");
        CHECK(error_of(client.get(server.url())).reason == "download_failed");
        CHECK(client.text().empty());
    }
    SECTION("its detail shows no query") {
        const DownloadServer server("HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        CHECK_FALSE(error_of(client.get(server.url("/a?secret"))).detail.contains("secret"));
    }
}

TEST_CASE("no more comes than may be", "[download]") {
    DownloadClient client;
    SECTION("without an end") {
        const DownloadServer server("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", DownloadServer::Then::go_on);
        CHECK(error_of(client.get(server.url(), {.bytes = 100'000})).reason == "archive_too_large");
        CHECK(client.text().size() <= 100'000);
    }
    SECTION("just as much") {
        const DownloadServer server(download_answer(1000, std::string(1000, 'x')));
        CHECK(value_of(client.get(server.url(), {.bytes = 1000})) == 1000);
    }
    SECTION("one byte more") {
        const DownloadServer server(download_answer(1001, std::string(1001, 'x')));
        CHECK(error_of(client.get(server.url(), {.bytes = 1000})).reason == "archive_too_large");
    }
}

TEST_CASE("a download that stands still ends", "[download]") {
    DownloadClient client;
    SECTION("in the middle") {
        const DownloadServer server(download_answer(10'000, std::string(5000, 'x')), DownloadServer::Then::hold);
        CHECK(error_of(client.get(server.url(), {.bytes = 1 << 20, .stall = 600ms})).reason == "download_stalled");
    }
    SECTION("before the first byte") {
        const DownloadServer server("", DownloadServer::Then::hold);
        CHECK(error_of(client.get(server.url(), {.bytes = 1 << 20, .stall = 600ms})).reason == "download_stalled");
    }
    SECTION("a byte now and then does not count") {
        const DownloadServer server(download_answer(100'000, ""), DownloadServer::Then::trickle);
        CHECK(error_of(client.get(server.url(), {.bytes = 1 << 20, .stall = 600ms})).reason == "download_stalled");
    }
    SECTION("whatever comes, it takes no longer than may be") {
        const DownloadServer server("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", DownloadServer::Then::trickle);
        const DownloadLimits limits{.bytes = 1 << 20, .stall = 100ms, .stall_bytes = 0, .longest = 700ms};
        CHECK(error_of(client.get(server.url(), limits)).reason == "download_stalled");
    }
}

TEST_CASE("a download that is interrupted ends", "[download]") {
    DownloadClient client;
    client.interrupt_after_ = 1;
    // Some of it stays in the program's own buffer.
    const DownloadServer server(download_answer(1 << 20, std::string(1 << 18, 'x')), DownloadServer::Then::hold);
    CHECK(error_of(client.get(server.url())).reason == "interrupted");
}
