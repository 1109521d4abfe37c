#include <sys/socket.h>

#include "core/kernel/shim/protocol/wire.h"
#include "tests/catch.h"
#include "tests/host/eventually.h"
#include "tests/host/shim_fixture.h"

using namespace jaild;
using namespace jaild::test;
using shim::MessageType;

namespace {

/// A frame with any length and type.
std::string frame(std::uint32_t length, std::uint16_t type, std::string_view body = {}) {
    auto bytes = shim::Writer()
                     .u32(length)
                     .u8(static_cast<std::uint8_t>(type & 0xFF))
                     .u8(static_cast<std::uint8_t>(type >> 8))
                     .take();
    return bytes.append(body);
}

std::string reason_of(const std::optional<shim::Frame>& answer) {
    REQUIRE(answer);
    REQUIRE(answer->type == MessageType::failed);
    const auto failed = shim::Failed::decode(answer->body);
    REQUIRE(failed);
    return failed->reason;
}

}  // namespace

TEST_CASE_METHOD(ShimFixture, "a shim talks to newer clients, and says its version", "[shim][protocol]") {
    value_of(processes->hold(id));
    RawClient newer(*this);
    const auto hello = shim::Hello{.version = shim::kProtocolVersion + 5, .program = "jaild 9.9", .pid = 1}.encode();
    newer.send(MessageType::hello, hello + "fields of a later version");
    const auto answer = newer.receive();
    REQUIRE(answer);
    REQUIRE(answer->type == MessageType::hello_answer);
    CHECK(shim::Hello::decode(answer->body)->version == shim::kProtocolVersion);
    CHECK(shim::Hello::decode(answer->body)->pid == observed().pid);

    newer.send(static_cast<MessageType>(60), "a request of a later version");
    CHECK(reason_of(newer.receive()) == "unknown_request");
    newer.send(MessageType::stop_command, shim::StopCommand{.grace_ms = 1}.encode() + "more");
    CHECK(newer.receive()->type == MessageType::done);
}

TEST_CASE_METHOD(ShimFixture, "a shim that knows no terminals runs no program without one",
                 "[shim][protocol][terminal]") {
    value_of(processes->hold(id));
    auto program = sh("touch " + (top / "ran").string());
    program.terminal = TerminalSize{};
    const auto error = error_of(processes->exec(id, program, {}));
    CHECK(error.code == Errc::unsupported);
    CHECK(error.reason == "old_shim");
    CHECK_FALSE(std::filesystem::exists(top / "ran"));
}

TEST_CASE_METHOD(ShimFixture, "a shim gives no terminal to a helper's program", "[shim][protocol][terminal]") {
    value_of(processes->hold(id));
    RawClient client(*this);
    client.greet();
    const auto launch = value_of(attacher.prepare(id, sh("true")));
    client.send(MessageType::exec_terminal, launch.encode());
    CHECK(reason_of(client.receive()) == "malformed");
    client.send(MessageType::exec_terminal, "no launch");
    CHECK(reason_of(client.receive()) == "malformed");
}

TEST_CASE_METHOD(ShimFixture, "who does not greet is not listened to", "[shim][protocol]") {
    value_of(processes->hold(id));
    RawClient rude(*this);
    rude.send(MessageType::shutdown, {});
    CHECK(reason_of(rude.receive()) == "malformed");
    CHECK(rude.closed_by_shim());
    RawClient nobody(*this);
    nobody.send(MessageType::hello, shim::Hello{.version = 0, .program = "", .pid = 0}.encode());
    CHECK(reason_of(nobody.receive()) == "malformed");
    CHECK(observed().alive);
}

TEST_CASE_METHOD(ShimFixture, "garbage ends its own connection only", "[shim][protocol]") {
    value_of(processes->hold(id));
    const auto garbage = GENERATE(std::string("GET / HTTP/1.1\r\n\r\n"), std::string(1 << 20, '\xff'), frame(0, 0),
                                  frame(1, 1), frame(shim::kMaxFrame + 1, 1, "x"));
    RawClient early(*this);
    early.send_bytes(garbage);
    CHECK(early.closed_by_shim());
    RawClient late(*this);
    late.greet();
    late.send_bytes(garbage);
    CHECK(late.closed_by_shim());
    CHECK(exec_to_end(sh("exit 8")).exit_code == 8);
}

TEST_CASE_METHOD(ShimFixture, "requests that cannot be read are refused one by one", "[shim][protocol]") {
    value_of(processes->hold(id));
    RawClient client(*this);
    client.greet();
    for (const auto type : {MessageType::start_command, MessageType::stop_command, MessageType::run, MessageType::exec,
                            MessageType::run_helper, MessageType::fail_command}) {
        client.send(type, "\x01\xff\xff\xff\xff");
        CHECK(reason_of(client.receive()) == "malformed");
    }
    auto launch = value_of(attacher.prepare(id, sh("true")));
    client.send(MessageType::exec, launch.encode());  // without descriptors
    CHECK(reason_of(client.receive()) == "malformed");
    for (const auto* name : {"../../../../etc/passwd", "/etc/passwd", ".hidden", ""}) {
        launch.pid_file = name;
        client.send(MessageType::start_command, launch.encode());
        CHECK(reason_of(client.receive()) == "malformed");
    }
}

TEST_CASE_METHOD(ShimFixture, "a client that stops in the middle keeps nobody waiting", "[shim][protocol]") {
    value_of(processes->hold(id));
    RawClient half(*this);
    half.send_bytes(frame(500, static_cast<std::uint16_t>(MessageType::hello), "half a hel"));
    RawClient deaf(*this);
    deaf.greet();
    deaf.send(MessageType::subscribe, {});
    for (int i = 0; i < 20; ++i) {
        value_of(processes->start_command(id, sh("true")));
        REQUIRE(eventually([&] { return exited(); }));
    }
    CHECK(exec_to_end(sh("exit 2")).exit_code == 2);
}

TEST_CASE_METHOD(ShimFixture, "two requests at once are no client of ours", "[shim][protocol]") {
    value_of(processes->hold(id));
    RawClient client(*this);
    client.greet();
    auto null = no_stdio();
    std::vector<UniqueFd> descriptors;
    descriptors.push_back(std::move(null.input));
    descriptors.push_back(std::move(null.output));
    descriptors.push_back(std::move(null.error_output));
    const auto launch = value_of(attacher.prepare(id, sh("echo $$ >" + top.string() + "/pid; sleep 1000")));
    REQUIRE(client.channel().queue(MessageType::exec, launch.encode(), std::move(descriptors)));
    REQUIRE(client.channel().send() == shim::Channel::State::open);
    REQUIRE(client.receive()->type == MessageType::started);
    REQUIRE(eventually([&] { return number_in("pid") != 0; }));
    client.send(MessageType::reset, {});
    CHECK(client.closed_by_shim());
    CHECK(eventually([&] { return !process_exists(number_in("pid")); }));
}
