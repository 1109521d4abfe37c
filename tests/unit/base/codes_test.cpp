#include "core/base/base64.h"
#include "core/base/sha256.h"
#include "tests/catch.h"

using namespace jaild;

TEST_CASE("SHA-256 answers as NIST's examples", "[base][sha256]") {
    CHECK(to_hex(sha256("")) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(to_hex(sha256("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(to_hex(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")) ==
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    CHECK(to_hex(sha256(std::string(1'000'000, 'a'))) ==
          "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("SHA-256 pads at every length of a block", "[base][sha256]") {
    // Of the digests of "", "x", "xx" … 129 times, one after another; made with Python's hashlib.
    std::string all;
    for (std::size_t length = 0; length <= 129; ++length) all += to_hex(sha256(std::string(length, 'x')));
    CHECK(to_hex(sha256(all)) == "199af942eba7fa5d1e16d475169eb24018b14e69339c93d26a9ea6d873b4ace6");
}

TEST_CASE("SHA-256 of what comes in pieces is that of the whole", "[base][sha256]") {
    std::string all;
    for (int i = 0; i < 1000; ++i) all += static_cast<char>(i * 7);
    const auto piece = GENERATE(std::size_t{1}, std::size_t{63}, std::size_t{64}, std::size_t{65}, std::size_t{999});
    Sha256 hash;
    for (std::size_t at = 0; at < all.size(); at += piece) hash.add(std::string_view(all).substr(at, piece));
    CHECK(to_hex(hash.finish()) == to_hex(sha256(all)));
}

TEST_CASE("a digest is read back from its digits", "[base][sha256]") {
    const auto digest = sha256("token");
    CHECK(digest_from_hex(to_hex(digest)) == digest);
    CHECK_FALSE(digest_from_hex("ab"));
    CHECK_FALSE(digest_from_hex(std::string(64, 'g')));
    CHECK(equal_in_constant_time(digest, digest));
    CHECK_FALSE(equal_in_constant_time(digest, sha256("tokem")));
}

TEST_CASE("base64 answers as RFC 4648's examples, both ways", "[base][base64]") {
    const std::vector<std::pair<std::string, std::string>> examples{{"", ""},
                                                                    {"f", "Zg=="},
                                                                    {"fo", "Zm8="},
                                                                    {"foo", "Zm9v"},
                                                                    {"foob", "Zm9vYg=="},
                                                                    {"fooba", "Zm9vYmE="},
                                                                    {"foobar", "Zm9vYmFy"}};
    for (const auto& [bytes, text] : examples) {
        CHECK(base64_encode(bytes) == text);
        CHECK(base64_decode(text) == bytes);
    }
    std::string all;
    for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
    CHECK(base64_decode(base64_encode(all)) == all);
}

TEST_CASE("base64 that no encoder writes is refused", "[base][base64]") {
    const auto* text =
        GENERATE("Z", "Zg", "Zg=", "Zg===", "=Zg=", "Zh==", "Zm9=", "Zm8 ", "Zm8\n", "Zm-v", "====", "Zg==Zg==");
    INFO(text);
    CHECK_FALSE(base64_decode(text));
}
