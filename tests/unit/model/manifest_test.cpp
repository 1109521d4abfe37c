#include "core/model/manifest.h"

#include "tests/catch.h"

using namespace jaild::model;

namespace {
const std::string kSum(64, 'a');
const std::string kOther = "0123456789ABCDEF" + std::string(48, '0');
}  // namespace

TEST_CASE("a MANIFEST of FreeBSD says what each archive must have", "[model][manifest]") {
    const auto read = parse_manifest("base.txz\t" + kSum + "\t31846\tbase\t\"Base system (MANDATORY)\"\ton\n" +
                                     "lib32-dbg.txz\t" + kOther + "\t200\tlib32_dbg\t\"x\"\toff\n");
    REQUIRE(read);
    CHECK(read->size() == 2);
    CHECK(read->at("base.txz") == kSum);
    CHECK(read->at("lib32-dbg.txz") == kOther);
    CHECK(parse_manifest("")->empty());
}

TEST_CASE("what is no MANIFEST, or a part of one, is none", "[model][manifest]") {
    for (const auto& text : {"base.txz\t" + kSum + "\t1", "<html>\n" + kSum, std::string("base.txz\t1234\t1\n"),
                             "\t" + kSum + "\n", "base.txz " + kSum + "\n", "base.txz\t" + kSum.substr(1) + "g\t1\n",
                             "base.txz\t" + kSum + "\t1\nbase.txz\t" + kOther + "\t1\n"})
        CHECK_FALSE(parse_manifest(text));
}
