#pragma once

#include <filesystem>
#include <string>

#include "core/base/error.h"
#include "core/base/units.h"

namespace jaild::test {

struct HttpReply {
    int status = 0;
    std::string headers;  ///< as they came, "Name: value\r\n"
    std::string body;
};

/// One request over a UNIX socket, whose connection is closed after it. `path` with its query; `headers` as in
/// HttpReply. An Error when nobody answers, or not in time: patience() of
/// eventually.h.
Result<HttpReply> http(const std::filesystem::path& socket, const std::string& method, const std::string& path,
                       const std::string& body = {}, const std::string& headers = {},
                       Milliseconds patience = Milliseconds(90'000));

}  // namespace jaild::test
