#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>

namespace jaild::test {

/// Makes an empty directory the root of a jail whose own root user means harm: a few directories and files as a base
/// system has them, and for each a link that leads to the same place of `outside`, ready to be exchanged with it.
void make_hostile_root(const std::filesystem::path& root, const std::filesystem::path& outside);

/// What that user does: a process of its own that sees the root as /, and as fast as it can exchanges directories and
/// files with links, files with FIFOs, directories with files, and directories with others at another depth; it makes
/// anew what was taken away. Until it goes.
class Attacker {
public:
    explicit Attacker(const std::filesystem::path& root);
    ~Attacker();
    Attacker(const Attacker&) = delete;
    Attacker& operator=(const Attacker&) = delete;

    /// So many exchanges have succeeded.
    [[nodiscard]] std::uint64_t exchanges() const;

private:
    struct Board;
    Board* board_;  ///< memory that both processes see
    pid_t process_ = -1;
};

}  // namespace jaild::test
