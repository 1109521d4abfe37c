#include "tests/host/text_files.h"

#include <fstream>
#include <sstream>

#include "tests/catch.h"

namespace jaild::test {

std::string read_file(const std::filesystem::path& path) {
    std::ifstream stream(path, std::ios::binary);
    std::ostringstream text;
    text << stream.rdbuf();
    return std::move(text).str();
}

void write_file(const std::filesystem::path& path, const std::string& content) {
    std::ofstream stream(path, std::ios::binary);
    stream << content;
    stream.close();
    REQUIRE(stream);
}

}  // namespace jaild::test
