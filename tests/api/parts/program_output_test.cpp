#include "api/v1/program_run.h"
#include "tests/catch.h"

using namespace jaild::api;
using v1::Output;

TEST_CASE("a program's output is kept up to its limit", "[exec][output]") {
    Slots shared(100);
    Output output(5, 10, shared);
    output.add("abc");
    CHECK_FALSE(output.truncated());
    output.add("de");
    CHECK_FALSE(output.truncated());
    output.add("f");
    CHECK(output.truncated());
    CHECK(output.take() == "abcde");
}

TEST_CASE("what is typed at a terminal ends with the end of the input", "[exec][terminal]") {
    CHECK(v1::typed("") == "\x04");
    CHECK(v1::typed("one\ntwo\n") == "one\ntwo\n\x04");
    CHECK(v1::typed("one\ntwo") == "one\ntwo\x04\x04");
}

TEST_CASE("output beyond its own place is shared with the other programs", "[exec][output]") {
    Slots shared(4);
    Output first(100, 2, shared);
    first.add("abcde");
    CHECK_FALSE(first.truncated());
    {
        Output second(100, 2, shared);
        second.add("abcde");
        CHECK(second.truncated());
        CHECK(second.take() == "abc");
    }
    Output third(100, 2, shared);
    third.add("abc");
    CHECK_FALSE(third.truncated());
    Output fourth(100, 2, shared);
    fourth.add("ab");
    CHECK_FALSE(fourth.truncated());
}

TEST_CASE("what was dropped once leaves no gap behind", "[exec][output]") {
    Slots shared(2);
    Output cut(100, 1, shared);
    {
        Output other(100, 0, shared);
        other.add("xx");
        cut.add("ab");
        CHECK(cut.truncated());
    }
    cut.add("cd");
    CHECK(cut.take() == "a");
}
