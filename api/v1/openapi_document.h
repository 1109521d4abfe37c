#pragma once

#include <string>

namespace jaild::api {

/// openapi/jaild.yaml as JSON; made from it when jaild is built.
std::string openapi_document();

}  // namespace jaild::api
