#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <random>

#include "core/kernel/shim/protocol/channel.h"
#include "core/kernel/shim/protocol/local_socket.h"
#include "core/kernel/shim/protocol/log_format.h"
#include "core/kernel/shim/protocol/state_file.h"
#include "core/kernel/shim/protocol/wire.h"
#include "tests/catch.h"
#include "tests/temp_directory.h"

// Not a using directive: its Reader and Writer are the store's too, and the tools compile several tests at once.
namespace jaild::shim {
namespace {

Launch full_launch() {
    return {.mode = LaunchMode::jail,
            .argv = {"/bin/sh", "-c", ""},
            .environment = {"A=1", "B="},
            .document = std::string("{\0}", 3),
            .pid_file = "attach-1.pid",
            .jail_name = "web",
            .jid = 12,
            .jail_path = "/var/db/jaild/jails/1/root",
            .user = "www",
            .directory = "/srv"};
}

/// Each message once, as bytes, with a decoder that answers whether it can be read.
struct Sample {
    const char* name;
    std::string body;
    bool (*readable)(std::string_view);
};

template <class T>
Sample sample(const char* name, const T& message) {
    return {name, message.encode(), [](std::string_view body) { return T::decode(body).has_value(); }};
}

std::vector<Sample> samples() {
    return {
        sample("hello", Hello{.version = 1, .program = "jaild", .pid = 5}),
        sample("launch", full_launch()),
        sample("run", Run{.launch = full_launch(), .timeout_ms = 1000, .marks_start = true}),
        sample("run_hook", RunHook{.hook = 4,
                                   .argv = {"/bin/true"},
                                   .environment = {"A=b"},
                                   .timeout_ms = 1000,
                                   .success = Remembered::yes}),
        sample("stop_command", StopCommand{.grace_ms = 7}),
        sample("fail_command", FailCommand{.exit_code = 127, .text = "no program"}),
        sample("signal", Signal{.number = 15}),
        sample("run_helper",
               RunHelper{
                   .argv = {"runc"}, .environment = {"A=b"}, .timeout_ms = 5, .output_limit = 9, .pid_file = "/x/pid"}),
        sample("helper_done", HelperDone{.exit_code = 1, .timed_out = true, .output = "o", .error_output = "e"}),
        sample("started", Started{.pid = 77}),
        sample("refused", Refused{.stage = Stage::user, .code = 2, .text = "who"}),
        sample("ended", Ended{.exit_code = 137, .signal = 9, .timed_out = true}),
        sample("failed", Failed{.reason = "malformed", .text = "?"})};
}

struct Pair {
    UniqueFd left;
    UniqueFd right;
    Pair() {
        int ends[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
        left.reset(ends[0]);
        right.reset(ends[1]);
    }
};

}  // namespace

TEST_CASE("a message comes back as it went", "[shim][protocol]") {
    const Run run{.launch = full_launch(), .timeout_ms = -1, .marks_start = true};
    const auto back = Run::decode(run.encode());
    REQUIRE(back);
    CHECK(back->launch.encode() == run.launch.encode());
    CHECK(back->launch.argv == run.launch.argv);
    CHECK(back->launch.document == run.launch.document);
    CHECK(back->launch.jid == 12);
    CHECK(back->timeout_ms == -1);
    CHECK(back->marks_start);
}

TEST_CASE("a message that is cut off anywhere is refused, a longer one of a later version is not", "[shim][protocol]") {
    for (const auto& one : samples()) {
        INFO(one.name);
        CHECK(one.readable(one.body));
        CHECK(one.readable(one.body + "a field of later"));
        for (std::size_t size = 0; size < one.body.size(); ++size) {
            INFO("cut to " << size);
            CHECK_FALSE(one.readable(one.body.substr(0, size)));
        }
    }
}

TEST_CASE("random bytes in a message never lead beyond it", "[shim][protocol]") {
    std::mt19937 random(20261121);
    for (const auto& one : samples())
        for (int round = 0; round < 2000; ++round) {
            auto body = one.body;
            for (int change = 0; change < 3; ++change) body[random() % body.size()] = static_cast<char>(random());
            static_cast<void>(one.readable(body));  // under a sanitizer this proves it
        }
}

TEST_CASE("a count that the body cannot hold reserves nothing", "[shim][protocol]") {
    Reader reader(std::string_view("\xff\xff\xff\xff\x00\x00\x00\x00", 8));
    CHECK(reader.list().empty());
    CHECK_FALSE(reader.ok());
}

TEST_CASE("a launch names its pid file in the shim's own directory only", "[shim][protocol]") {
    for (const auto* name : {"a/b", "/a", "..", ".x", "../state"}) {
        auto launch = full_launch();
        launch.pid_file = name;
        CHECK_FALSE(Launch::decode(launch.encode()));
    }
    auto helper = full_launch();
    helper.mode = LaunchMode::helper;
    CHECK(Launch::decode(helper.encode()));
    helper.pid_file.clear();
    CHECK_FALSE(Launch::decode(helper.encode()));
    helper = full_launch();
    helper.argv.clear();
    CHECK_FALSE(Launch::decode(helper.encode()));
    helper = full_launch();
    helper.mode = static_cast<LaunchMode>(9);
    CHECK_FALSE(Launch::decode(helper.encode()));
}

TEST_CASE("frames come through one byte at a time", "[shim][channel]") {
    Pair pair;
    Channel receiver(std::move(pair.right));
    const auto bytes = Writer().u32(2 + 3).u8(66).u8(0).take() + "abc" + Writer().u32(2).u8(65).u8(0).take();
    std::vector<Frame> frames;
    for (const char byte : bytes) {
        REQUIRE(::write(pair.left.get(), &byte, 1) == 1);
        REQUIRE(receiver.receive() == Channel::State::open);
        while (auto frame = receiver.next()) frames.push_back(*std::move(frame));
    }
    REQUIRE(frames.size() == 2);
    CHECK(frames[0].type == MessageType::started);
    CHECK(frames[0].body == "abc");
    CHECK(frames[1].type == MessageType::done);
    CHECK(frames[1].body.empty());
}

TEST_CASE("the largest frame goes through a small pipe, a larger one is not sent", "[shim][channel]") {
    Pair pair;
    Channel sender(std::move(pair.left));
    Channel receiver(std::move(pair.right));
    CHECK_FALSE(sender.queue(MessageType::exec, std::string(kMaxFrame - 1, 'x')));
    CHECK(sender.unsent() == 0);
    const std::string body(kMaxFrame - 2, 'x');
    REQUIRE(sender.queue(MessageType::exec, body));
    std::optional<Frame> frame;
    while (!frame) {
        REQUIRE(sender.send() == Channel::State::open);
        REQUIRE(receiver.receive() == Channel::State::open);
        frame = receiver.next();
    }
    CHECK(frame->body == body);
}

TEST_CASE("a length that no frame has ends the connection", "[shim][channel]") {
    for (const std::uint32_t length :
         {std::uint32_t{0}, std::uint32_t{1}, static_cast<std::uint32_t>(kMaxFrame + 1), 0xffffffffU}) {
        Pair pair;
        Channel receiver(std::move(pair.right));
        const auto bytes = Writer().u32(length).take();
        REQUIRE(::write(pair.left.get(), bytes.data(), bytes.size()) == 4);
        CHECK(receiver.receive() == Channel::State::closed);
        CHECK_FALSE(receiver.next());
    }
}

TEST_CASE("what was said before the end is heard", "[shim][channel]") {
    Pair pair;
    Channel sender(std::move(pair.left));
    Channel receiver(std::move(pair.right));
    REQUIRE(sender.queue(MessageType::ended, "x"));
    REQUIRE(sender.send() == Channel::State::open);
    sender = Channel(UniqueFd());
    CHECK(receiver.receive() == Channel::State::closed);
    const auto last = receiver.next();
    REQUIRE(last);
    CHECK(last->type == MessageType::ended);
}

TEST_CASE("descriptors travel with their frame, close on exec, and no more than three", "[shim][channel]") {
    Pair pair;
    Channel sender(std::move(pair.left));
    Channel receiver(std::move(pair.right));
    auto pipe = Pipe::create();
    REQUIRE(pipe);
    std::vector<UniqueFd> one;
    one.push_back(std::move(pipe->write));
    REQUIRE(sender.queue(MessageType::hello, "first"));
    REQUIRE(sender.queue(MessageType::exec, "second", std::move(one)));
    REQUIRE(sender.send() == Channel::State::open);
    REQUIRE(receiver.receive() == Channel::State::open);
    CHECK(receiver.next()->body == "first");
    CHECK(receiver.next()->body == "second");
    auto received = receiver.take_descriptors();
    REQUIRE(received.size() == 1);
    CHECK((::fcntl(received[0].get(), F_GETFD) & FD_CLOEXEC) != 0);
    REQUIRE(::write(received[0].get(), "!", 1) == 1);
    char byte = 0;
    CHECK(::read(pipe->read.get(), &byte, 1) == 1);

    for (int i = 0; i < 3; ++i) {
        std::vector<UniqueFd> two;
        two.emplace_back(::dup(0));
        two.emplace_back(::dup(0));
        REQUIRE(sender.queue(MessageType::exec, "more", std::move(two)));
        REQUIRE(sender.send() == Channel::State::open);
        REQUIRE(receiver.receive() == Channel::State::open);
    }
    CHECK(receiver.take_descriptors().size() == Channel::kMaxDescriptors);
}

TEST_CASE("connecting where nobody accepts fails at once when the queue is full", "[shim][socket]") {
    const test::TempDirectory directory;
    const auto listener = test::value_of(shim::listen_in(directory.fd(), "shim.sock"));
    REQUIRE(::listen(listener.get(), 1) == 0);
    std::vector<UniqueFd> waiting;
    for (;;) {
        auto next = shim::connect_in(directory.fd(), "shim.sock");
        if (!next) {
            CHECK(next.error().code == Errc::busy);
            break;
        }
        waiting.push_back(*std::move(next));
        REQUIRE(waiting.size() < 100);
    }
    CHECK_FALSE(waiting.empty());
}

TEST_CASE("a shim's state comes back as it was written", "[shim][state]") {
    ShimState state{
        .command = shim::CommandState::running,
        .command_pid = 12,
        .command_start = 345,
        .start_done = true,
        .hooks_done = 5,
        .last_exit =
            ExitRecord{.exit_code = 137, .signal = 9, .reason = "signaled", .at_ms = 1'700'000'000'000, .ran_ms = 17},
        .jail_pid = 99,
        .jail_start = 98,
        .jail_boot = "0123456789abcdef0123456789abcdef"};
    CHECK(parse_state(format_state(state)) == state);
    CHECK(parse_state(format_state({})) == ShimState{});
    CHECK(parse_state(format_state(state) + "a_key_of_later 5 and more\n") == state);
}

TEST_CASE("what is no state is none", "[shim][state]") {
    const auto text =
        GENERATE("", "jaild-shim-state 2\ncommand 1\n", "command 1\n", "jaild-shim-state 1\ncommand 7\n",
                 "jaild-shim-state 1\ncommand -1\n", "jaild-shim-state 1\ncommand_pid 12x\n",
                 "jaild-shim-state 1\ncommand_pid\n", "jaild-shim-state 1\ncommand_pid 99999999999999999999\n");
    CHECK_FALSE(parse_state(text));
}

TEST_CASE("a log record has a prefix of fixed length, and its text is what was written", "[shim][log]") {
    const auto record = format_record(UtcTime{1'700'000'000'123}, LogStream::error_output, false, "it failed: O no");
    CHECK(record == "2023-11-14T22:13:20.123Z E it failed: O no\n");
    const auto parsed = parse_record(std::string_view(record).substr(0, record.size() - 1));
    REQUIRE(parsed);
    CHECK(parsed->stream == LogStream::error_output);
    CHECK(parsed->text == "it failed: O no");
    CHECK(record.size() == kLogPrefix + parsed->text.size() + 1);
    CHECK_FALSE(parse_record("2023-11-14T22:13:20.123Z X text"));
    CHECK_FALSE(parse_record("no record"));
}

TEST_CASE("a log reads the same in pieces of any size", "[shim][log]") {
    const UtcTime at{1'700'000'000'000};
    const auto file = format_record(at, LogStream::output, true, "pass") +
                      format_record(at, LogStream::output, false, "word") +
                      format_record(at, LogStream::jaild, false, "") + "cut off\n" +
                      format_record(at, LogStream::error_output, false, "end");
    for (std::size_t piece = 1; piece <= file.size(); ++piece) {
        LogText text;
        std::string all;
        for (std::size_t at_byte = 0; at_byte < file.size(); at_byte += piece)
            all += text.feed(file.substr(at_byte, piece));
        CHECK(all == "password\n\ncut off\nend\n");
    }
}

}  // namespace jaild::shim
