#include "tests/catch.h"
#include "tests/host/client.h"
#include "tests/host/eventually.h"

using namespace jaild::test;
using nlohmann::json;

namespace {

/// A daemon with a running jail that has a command of its own.
struct House {
    TestHost host;
    Daemon daemon{host};
    Client client{daemon};
    JailLife life;
    pid_t resident = 0;

    House() {
        daemon.start();
        client.create({{"name", "web"}, {"command", {"sleep", "4710"}}});
        life = client.life("web");
        resident = client.command_pid("web");
    }

    /// A line of sh(1) at a terminal.
    [[nodiscard]] json sh(const std::string& line, json body = json::object()) const {
        body["argv"] = {"/bin/sh", "-c", line};
        if (!body.contains("terminal")) body["terminal"] = json::object();
        const auto reply = daemon.request("POST", "/v1/jails/web/exec", body.dump());
        INFO(reply.body);
        REQUIRE(reply.status == 200);
        return json::parse(reply.body);
    }
};

std::size_t running(const std::string& arguments) {
    std::size_t count = 0;
    for (const pid_t process : all_processes()) count += arguments_of(process) == arguments && lives(process) ? 1 : 0;
    return count;
}

std::size_t times(const std::string& text, const std::string& part) {
    std::size_t count = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
    return count;
}

}  // namespace

// What a program prints comes last: FreeBSD's terminals echo the end of the input too, "^D" and two backspaces.
TEST_CASE("a program run by exec can have a terminal", "[terminal]") {
    const House house;
    auto ran = house.sh("test -t 0 && test -t 1 && test -t 2 && stty size < /dev/tty; echo $TERM >&2",
                        {{"terminal", {{"rows", 33}, {"columns", 101}}}});
    CHECK(ran.at("stdout").get<std::string>().ends_with("33 101\r\ndumb\r\n"));
    CHECK(ran.at("stderr") == "");
    CHECK(ran.at("exit_code") == 0);
    CHECK(house.sh("stty size")["stdout"].get<std::string>().ends_with("24 80\r\n"));
    CHECK(house.sh("exit 7")["exit_code"] == 7);
    CHECK(house.sh("kill -TERM $$")["signal"] == 15);
    const auto jobs = house.sh("set -m; sleep 0 & wait; echo done")["stdout"].get<std::string>();
    CHECK(jobs.ends_with("done\r\n"));
    CHECK_FALSE(jobs.contains("tty;"));  // "can't access tty; job control turned off"
    CHECK(house.client.sh("web", "test -t 0 || echo none") == "none");
    CHECK(lives(house.resident));
}

TEST_CASE("what a program with a terminal reads is typed there, and comes to an end", "[terminal]") {
    const House house;
    CHECK(house.sh("echo $(wc -c) bytes")["stdout"].get<std::string>().ends_with("0 bytes\r\n"));
    const auto copied = house.sh("cat", {{"stdin", "one\ntwo\n"}})["stdout"].get<std::string>();
    CHECK(times(copied, "one\r\n") == 2);  // the echo, and the copy
    CHECK(times(copied, "two\r\n") == 2);
    const auto counted = house.sh("echo $(wc -c) bytes", {{"stdin", "one\ntwo"}})["stdout"].get<std::string>();
    CHECK(counted.ends_with("7 bytes\r\n"));  // an unfinished line too
    // What is typed before the program has the terminal for its own interrupts nobody, as for a person who is too fast.
    const auto interrupted = [&] {
        return house.sh("sleep 4711", {{"stdin", "\x03"}, {"timeout", 5}}).at("timed_out") == false;
    };
    CHECK(eventually(interrupted, std::chrono::seconds(60)));
}

TEST_CASE("a program with a terminal that takes too long is killed with its session, and nothing else", "[terminal]") {
    const House house;
    const auto ran = house.sh("trap '' HUP TERM; sleep 4712 & sleep 4713", {{"timeout", 1}});
    CHECK(ran.at("timed_out") == true);
    CHECK(ran.at("signal") == 9);
    CHECK(eventually([] { return running("sleep 4712") + running("sleep 4713") == 0; }));
    CHECK(lives(house.resident));
    CHECK(house.client.life("web") == house.life);
    CHECK(house.sh("echo again")["stdout"].get<std::string>().ends_with("again\r\n"));
}
