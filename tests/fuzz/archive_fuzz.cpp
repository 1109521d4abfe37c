// Archives as nobody writes them, by libFuzzer: whatever comes, nothing appears outside of the tree that they are
// unpacked into, and all that appears inside is what entry_rules.h lets through. Started by tests/fuzz/run.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

#include "core/templates/archive/entry_rules.h"
#include "daemon/archive/unpack.h"

namespace fs = std::filesystem;
namespace archive = jaild::archive;

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

namespace {

constexpr std::size_t kBlock = 512;
constexpr uid_t kNobody = 65534;

[[noreturn]] void broken(const std::string& promise) {
    std::fprintf(stderr, "broken: %s\n", promise.c_str());
    std::abort();
}

/// A directory with the tree in it, and nothing beside it.
fs::path& home() {
    static fs::path path;
    return path;
}

bool climbs(const std::string& name) {
    for (const auto& part : fs::path(name))
        if (part == "..") return true;
    return false;
}

/// The texts of an entry by themselves.
void check_texts(const std::string& text) {
    const auto middle = text.find('\0');
    const auto entry = text.substr(0, middle);
    const auto target = middle == std::string::npos ? entry : text.substr(middle + 1);
    const auto name = archive::clean_name(entry);
    if (name && (name->empty() || name->starts_with('/') || climbs(*name))) broken("a clean name is beneath the tree");
    if (name && archive::clean_name(*name) != *name) broken("a clean name is clean");
    const auto link = archive::clean_hard_link(entry, target);
    if (link && (link->starts_with('/') || climbs(*link))) broken("a hard link is to something beneath the tree");
    if (name && archive::check_symbolic_link(*name, target) && !target.starts_with('/')) {
        const auto there = ("/" / fs::path(*name).parent_path()) / target;
        int depth = 0;
        for (const auto& part : there.relative_path()) {
            depth += part == ".." ? -1 : (part.empty() || part == "." ? 0 : 1);
            if (depth < 0) broken("a symbolic link stays in the tree");
        }
    }
    for (const char c : archive::printable(text))
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) broken("what is printable is printable");
}

/// As a user that may write nowhere else, should the rules be wrong.
void become(uid_t user) {
    if (::getuid() == 0 && ::seteuid(user) != 0) broken("a user can be changed");
}

void check_tree() {
    for (const auto& beside : fs::directory_iterator(home()))
        if (beside.path().filename() != "tree") broken("nothing outside of the tree: " + beside.path().string());
    std::error_code failed;
    for (fs::recursive_directory_iterator at(home() / "tree", failed), end; !failed && at != end;
         at.increment(failed)) {
        struct stat seen {};
        if (::lstat(at->path().c_str(), &seen) != 0) continue;
        if (!S_ISREG(seen.st_mode) && !S_ISDIR(seen.st_mode) && !S_ISLNK(seen.st_mode))
            broken("files, directories and links only: " + at->path().string());
    }
}

void empty_tree() {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(home() / "tree")) fs::remove_all(entry.path(), ignored);
}

void check_unpacking(const std::uint8_t* data, std::size_t size) {
    const int file = ::memfd_create("archive", MFD_CLOEXEC);
    if (file < 0 || ::write(file, data, size) != static_cast<ssize_t>(size) || ::lseek(file, 0, SEEK_SET) != 0)
        broken("a file can be made in memory");
    constexpr archive::Limits kLimits{.bytes = 1 << 16, .entries = 64};
    become(kNobody);
    const auto done = archive::unpack(file, kLimits, [](const archive::Report&) {});
    become(0);
    ::close(file);
    if (done &&
        (done->count.bytes > kLimits.bytes || done->count.entries > kLimits.entries || done->count.read != size))
        broken("it keeps its limits, and has read all");
    check_tree();
    empty_tree();
}

void remove_home() {
    std::error_code ignored;
    fs::remove_all(home(), ignored);
}

/// POSIX ustar: the sum of all bytes of a header, those of the sum itself as spaces.
void mend_checksum(std::uint8_t* header) {
    constexpr std::size_t kAt = 148;
    constexpr std::size_t kSize = 8;
    std::memset(header + kAt, ' ', kSize);
    unsigned sum = 0;
    for (std::size_t i = 0; i < kBlock; ++i) sum += header[i];
    char text[kSize + 1];
    std::snprintf(text, sizeof text, "%06o", sum & 0777777);
    std::memcpy(header + kAt, text, 7);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
    std::string pattern = (fs::temp_directory_path() / "jaild-fuzz-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) broken("a directory can be made");
    home() = pattern;
    std::atexit(remove_home);
    fs::permissions(home(), fs::perms(0755));
    fs::create_directory(home() / "tree");
    if (::getuid() == 0 && ::chown((home() / "tree").c_str(), kNobody, kNobody) != 0) broken("an owner can be set");
    if (::chdir((home() / "tree").c_str()) != 0) broken("a directory can be entered");
    return 0;
}

/// A tar archive with a wrong checksum goes no further than its first header.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned) {
    size = LLVMFuzzerMutate(data, size, most);
    for (std::size_t at = 0; at + kBlock <= size; at += kBlock)
        if (std::memcmp(data + at + 257, "ustar", 5) == 0) mend_checksum(data + at);
    return size;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    check_texts(std::string(reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 4096)));
    check_unpacking(data, size);
    return 0;
}
