#include "core/model/template.h"

#include <nlohmann/json.hpp>

#include "tests/results.h"
#include "tests/unit/model/specs.h"

using namespace jaild;
using namespace jaild::model;
using namespace jaild::test;
using nlohmann::json;

namespace {

std::string reference_text(const std::string& text) {
    const auto reference = TemplateRef::parse(text);
    return reference ? reference->text() : std::string(reference.error().reason);
}

std::string refused_request(const json& body) {
    const auto error = error_of(parse_template_request(body));
    return std::string(error.reason) + " " + error.field;
}

json request_with(const json& fields = json::object()) {
    json body{{"name", "freebsd"}, {"sets", {{{"file", "/srv/base.txz"}}}}};
    body.update(fields);
    return body;
}

}  // namespace

TEST_CASE("a template is named by name and version", "[model][template]") {
    CHECK(reference_text("freebsd:14.2-p1") == "freebsd:14.2-p1");
    CHECK(reference_text("freebsd") == "freebsd");
    CHECK(reference_text("freebsd:latest") == "freebsd");
    CHECK(reference_text("freebsd:LATEST") == "freebsd");
    CHECK(reference_text("HOST") == "host");
    CHECK(reference_text("freebsd:" + std::string(63, '1')) == "freebsd:" + std::string(63, '1'));
    for (const auto* bad : {"freebsd:", "freebsd:a b", "freebsd:.1", "freebsd:1:2", "freebsd:1/2", "host:1"})
        CHECK(reference_text(bad) == "invalid_version");
    CHECK(reference_text("freebsd:" + std::string(64, '1')) == "invalid_version");
    for (const auto* bad : {"", ":1", "a.b:1", "14:1"}) CHECK(reference_text(bad) == "invalid_name");
}

TEST_CASE("a jail keeps the version that it has until it is told another", "[model][template]") {
    CHECK(keep_version("freebsd:14.1", "freebsd") == "freebsd:14.1");
    CHECK(keep_version("freebsd:14.1", "FreeBSD:latest") == "freebsd:14.1");
    CHECK(keep_version("freebsd:14.1-p1", "freebsd:14.1-P1") == "freebsd:14.1-p1");
    CHECK(keep_version("freebsd:14.1", "freebsd:14.2") == "freebsd:14.2");
    CHECK(keep_version("freebsd:14.1", "debian") == "debian");
    CHECK(keep_version("freebsd:14.1", "host") == "host");
    CHECK(keep_version("host", "host") == "host");
    CHECK(keep_version("", "") == "");

    JailSpec spec;
    spec.template_name = "freebsd:14.1";
    CHECK(value_of(merge_patch(spec, {{"hostname", "x"}})).template_name == "freebsd:14.1");
    CHECK(value_of(merge_patch(spec, {{"template", "freebsd"}})).template_name == "freebsd:14.1");
    CHECK(value_of(replace(spec, {{"template", "freebsd:latest"}})).template_name == "freebsd:14.1");
    CHECK(error_of(check_immutable(spec, value_of(replace(spec, {{"template", "freebsd:14.2"}})))).field ==
          "/template");
}

TEST_CASE("what a template is made of is read strictly", "[model][template]") {
    const auto read = value_of(parse_template_request(request_with(
        {{"version", "14.2"},
         {"description", "größe"},
         {"private", {"/opt/data"}},
         {"sets", {{{"file", "/srv/base.txz"}, {"sha256", std::string(64, 'A')}}, {{"file", "/srv/lib32.txz"}}}}})));
    CHECK(read.name.text() == "freebsd");
    CHECK(read.version == "14.2");
    CHECK(read.private_parts == std::vector<std::string>{"/opt/data"});
    REQUIRE(read.sets.size() == 2);
    CHECK(read.sets[0].sha256 == std::string(64, 'a'));
    CHECK(read.sets[1].name() == "lib32.txz");
    CHECK(read.source() == "/srv/base.txz, /srv/lib32.txz");

    CHECK(refused_request(json::array()) == "wrong_type ");
    CHECK(refused_request({{"sets", json::array()}}) == "missing_field /name");
    CHECK(refused_request({{"name", "a"}}) == "missing_field /sets");
    CHECK(refused_request(request_with({{"name", "Host"}})) == "name_reserved /name");
    CHECK(refused_request(request_with({{"version", "Latest"}})) == "invalid_version /version");
    CHECK(refused_request(request_with({{"sets", json::array()}})) == "missing_field /sets");
    CHECK(refused_request(request_with({{"private", {"/a/../b"}}})) == "invalid_path /private/0");
    CHECK(refused_request(request_with({{"sets", {{{"file", "/a"}, {"url", "http://a"}}}}})) ==
          "invalid_value /sets/0/url");
    CHECK(refused_request(request_with({{"sets", {{{"file", "/a"}, {"uri", "http://a"}}}}})) ==
          "unknown_field /sets/0/uri");
    CHECK(refused_request(request_with({{"sets", {{{"file", "/a"}, {"sha256", "12"}}}}})) ==
          "invalid_checksum /sets/0/sha256");
}

TEST_CASE("an archive from the net has a plain URL without secrets", "[model][template]") {
    const auto set = [](const std::string& url) { return request_with({{"sets", {{{"url", url}}}}}); };
    const auto read = value_of(parse_template_request(set("https://example.org:8080/a/base.txz?token=x")));
    CHECK(read.sets[0].url == "https://example.org:8080/a/base.txz?token=x");
    CHECK(read.sets[0].name() == "base.txz");
    CHECK(read.source() == "https://example.org:8080/a/base.txz");
    CHECK(value_of(parse_template_request(set("http://[2001:db8::1]/"))).sets[0].name() == "archive");

    for (const char* bad :
         {"ftp://a/b", "file:///etc/passwd", "HTTP//a", "http://", "http:///b", "http://:80/b", "http://a/b c",
          "http://a/\"", "http://u:p@a/b", "https://u@a", "http://a/#x", "http://a/ü"})
        CHECK(refused_request(set(bad)) == "invalid_url /sets/0/url");
    auto manifest = set("http://a/base.txz");
    manifest["manifest"] = "http://a/MANIFEST";
    CHECK(value_of(parse_template_request(manifest)).manifest == "http://a/MANIFEST");
    manifest["sets"][0]["sha256"] = std::string(64, '0');
    CHECK(refused_request(manifest) == "invalid_value /manifest");
    CHECK(refused_request({{"name", "a"}, {"directory", "/a"}, {"manifest", "http://a/M"}}) ==
          "invalid_value /manifest");
}

TEST_CASE("a template is made of one thing", "[model][template]") {
    const json name{{"name", "made"}};
    const auto with = [&](const json& more) {
        auto all = name;
        all.update(more);
        return all;
    };
    const auto jail = value_of(parse_template_request(with({{"jail", "web"}})));
    CHECK(jail.jail->text() == "web");
    CHECK(jail.source() == "jail web");
    const auto directory = value_of(parse_template_request(with({{"directory", "/srv/tree"}})));
    CHECK(directory.directory == "/srv/tree");
    CHECK(directory.source() == "/srv/tree");

    CHECK(refused_request(with({{"jail", "web"}, {"directory", "/a"}})) == "invalid_value /directory");
    CHECK(refused_request(with({{"jail", "web"}, {"sets", {{{"file", "/a"}}}}})) == "invalid_value /jail");
    CHECK(refused_request(with({{"directory", "/a"}, {"sets", json::array()}})) == "invalid_value /directory");
    CHECK(refused_request(with({{"directory", "a"}})) == "invalid_path /directory");
    CHECK(refused_request(with({{"directory", "/"}})) == "invalid_path /directory");
    CHECK(refused_request(with({{"jail", 7}})) == "wrong_type /jail");
}

TEST_CASE("each bound of a template's request is the one that is said", "[model][template][limits]") {
    const auto check_bound = [](std::size_t limit, const std::string& expected, auto document) {
        INFO(expected);
        CHECK(parse_template_request(document(limit)).has_value());
        CHECK(refused_request(document(limit + 1)) == expected);
    };
    const auto many = [](std::size_t n, const json& one) { return json(std::vector<json>(n, one)); };
    check_bound(TemplateRef::kMaxVersion, "too_long /version", [](std::size_t n) {
        return request_with({{"version", std::string(n, '1')}});
    });
    check_bound(TemplateLimits::description_bytes, "too_long /description", [](std::size_t n) {
        return request_with({{"description", std::string(n, 'x')}});
    });
    check_bound(TemplateLimits::sets, "too_many /sets", [&](std::size_t n) {
        return request_with({{"sets", many(n, {{"file", "/a"}})}});
    });
    check_bound(TemplateLimits::private_parts, "too_many /private", [&](std::size_t n) {
        return request_with({{"private", many(n, "/a")}});
    });
    check_bound(TemplateLimits::url_bytes, "too_long /sets/0/url", [](std::size_t n) {
        return request_with({{"sets", {{{"url", "http://" + std::string(n - 7, 'x')}}}}});
    });
    check_bound(TemplateLimits::path_bytes, "too_long /sets/0/file", [](std::size_t n) {
        return request_with({{"sets", {{{"file", "/" + std::string(n - 1, 'x')}}}}});
    });
}
