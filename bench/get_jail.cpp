#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/asio.hpp>
#include <boost/beast.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

/// GET of one jail over jaild's UNIX socket, paired in turns with a bare Beast server that answers the same bytes:
/// one connection to each, kept alive, one request at a time. The bare server is a process of its own, as jaild is:
/// waking a thread of the same process costs another time. Prints the medians and their ratio.
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Socket = asio::local::stream_protocol::socket;
using Clock = std::chrono::steady_clock;

constexpr int kRoundsOfTurns = 20;

/// What a server needs at least: read a request, answer a fixed body.
asio::awaitable<void> answer(Socket socket, std::string body) {
    beast::flat_buffer buffer;
    while (true) {
        http::request<http::string_body> request;
        co_await http::async_read(socket, buffer, request, asio::use_awaitable);
        http::response<http::string_body> response(http::status::ok, request.version());
        response.set(http::field::content_type, "application/json");
        response.body() = body;
        response.prepare_payload();
        co_await http::async_write(socket, response, asio::use_awaitable);
    }
}

asio::awaitable<void> accept_one(asio::local::stream_protocol::acceptor& acceptor, std::string body) {
    auto socket = co_await acceptor.async_accept(asio::use_awaitable);
    co_await answer(std::move(socket), std::move(body));
}

/// A process that answers `body` to every request of one connection, until the object's end.
class BareServer {
public:
    /// Throws std::system_error.
    BareServer(const std::string& path, const std::string& body) : path_(path) {
        asio::io_context io{1};
        asio::local::stream_protocol::acceptor acceptor(io, path);
        pid_ = ::fork();
        if (pid_ < 0) throw std::system_error(errno, std::system_category(), "fork");
        if (pid_ > 0) return;
        io.notify_fork(asio::io_context::fork_child);
        asio::co_spawn(io, accept_one(acceptor, body), asio::detached);
        io.run();
        ::_exit(0);
    }
    ~BareServer() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        std::filesystem::remove(path_);
    }
    BareServer(const BareServer&) = delete;
    BareServer& operator=(const BareServer&) = delete;

private:
    std::string path_;
    pid_t pid_ = -1;
};

class Client {
public:
    Client(asio::io_context& io, const std::string& path) : socket_(io) {
        socket_.connect(asio::local::stream_protocol::endpoint(path));
    }

    http::response<http::string_body> get(const std::string& target) {
        http::request<http::empty_body> request(http::verb::get, target, 11);
        request.set(http::field::host, "localhost");
        http::write(socket_, request);
        http::response<http::string_body> response;
        http::read(socket_, buffer_, response);
        return response;
    }

    /// Microseconds of each of `count` requests.
    void measure(const std::string& target, int count, std::vector<double>& into) {
        for (int i = 0; i < count; ++i) {
            const auto begin = Clock::now();
            const auto response = get(target);
            into.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
            if (response.result() != http::status::ok) throw std::runtime_error("not 200");
        }
    }

private:
    Socket socket_;
    beast::flat_buffer buffer_;
};

double median(std::vector<double>& values) {
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
    return values[values.size() / 2];
}

int run(const std::string& socket, const std::string& jail, int requests) {
    const auto floor_path = std::filesystem::temp_directory_path() / ("jaild-bench-" + std::to_string(::getpid()));
    asio::io_context client_io;
    Client jaild(client_io, socket);
    const auto target = "/v1/jails/" + jail;
    const auto body = jaild.get(target).body();

    const BareServer server(floor_path.string(), body);
    Client beast_floor(client_io, floor_path.string());

    std::vector<double> ours;
    std::vector<double> floor;
    const int turn = std::max(1, requests / kRoundsOfTurns);
    std::vector<double> warm;
    jaild.measure(target, turn, warm);
    beast_floor.measure(target, turn, warm);
    for (int round = 0; round < kRoundsOfTurns; ++round) {
        jaild.measure(target, turn, ours);
        beast_floor.measure(target, turn, floor);
    }
    const auto a = median(ours);
    const auto b = median(floor);
    std::printf("GET %s: %.1f us; bare Beast, the same %zu bytes: %.1f us; ratio %.2f\n", target.c_str(), a,
                body.size(), b, a / b);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"GET of one jail against a bare Beast server"};
    std::string socket;
    std::string jail;
    int requests = 20'000;
    app.add_option("--socket", socket, "jaild's socket")->required();
    app.add_option("--jail", jail, "a jail that exists")->required();
    app.add_option("--requests", requests, "of each")->check(CLI::Range(20, 1'000'000));
    CLI11_PARSE(app, argc, argv);
    try {
        return run(socket, jail, requests);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "jaild-bench-get: %s\n", error.what());
        return 1;
    }
}
