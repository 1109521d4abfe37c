#include "core/base/tree_mark.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "core/base/tree_walk.h"

namespace jaild::files {
namespace {

/// Spreads all bits of `value` over the result (the finalizer of SplitMix64).
std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
    std::uint64_t mixed = hash + 0x9e3779b97f4a7c15U + value;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
    return mixed ^ (mixed >> 31);
}

std::uint64_t mix(std::uint64_t hash, std::string_view text) {
    for (const char c : text) hash = mix(hash, static_cast<unsigned char>(c));
    return hash;
}

class Marker : public TreeVisitor {
public:
    Marker(std::uint64_t mount, const std::set<std::string>& aside, const std::function<bool()>& go_on)
        : aside_(aside), go_on_(go_on), walk_(*this, mount) {}

    Result<TreeMark> run(int tree) {
        if (auto walked = walk_.run(tree, "."); !walked) return std::unexpected(walked.error());
        return total_;
    }

    [[nodiscard]] std::string_view op() const override { return "mark_tree"; }
    Result<Into> enter(int directory, const std::string& name) override {
        struct stat seen {};
        if (::fstat(directory, &seen) != 0) return std::unexpected(Error::from_errno("fstat", errno, name));
        if (auto counted = count(seen); !counted) return std::unexpected(counted.error());
        const bool top = paths_.empty();
        const auto path = top ? 0 : mix(paths_.back(), name);
        add(path, seen);
        if (paths_.size() == 1) counts_ = !aside_.contains(name);
        paths_.push_back(path);
        return Into::contents;
    }
    Result<Next> entry(int directory, const std::string& name) override {
        struct stat seen {};
        if (::fstatat(directory, name.c_str(), &seen, AT_SYMLINK_NOFOLLOW) != 0)
            return errno == ENOENT ? Result<Next>(Next::on)
                                   : std::unexpected(Error::from_errno("fstatat", errno, walk_.where(name)));
        if (auto counted = count(seen); !counted) return std::unexpected(counted.error());
        auto state = mix(mix(paths_.back(), name), static_cast<std::uint64_t>(seen.st_ino));
        state = mix(state, static_cast<std::uint64_t>(seen.st_size));
        state = mix(state, static_cast<std::uint64_t>(seen.st_ctim.tv_sec));
        add(mix(state, static_cast<std::uint64_t>(seen.st_ctim.tv_nsec)), seen);
        return Next::on;
    }
    Result<void> leave(int /*directory*/) override {
        paths_.pop_back();
        if (paths_.size() == 1) counts_ = true;
        return {};
    }

private:
    Result<void> count(const struct stat& seen) {
        if (go_on_ && !go_on_())
            return std::unexpected(
                Error{.code = Errc::busy, .op = "mark_tree", .detail = "it was interrupted", .reason = "interrupted"});
        ++total_.entries;
        if (!S_ISREG(seen.st_mode)) return {};
        if (seen.st_nlink > 1 && !linked_.insert(static_cast<std::uint64_t>(seen.st_ino)).second) return {};
        total_.bytes += static_cast<std::uint64_t>(seen.st_size);
        return {};
    }
    /// A sum: directories are read in any order.
    void add(std::uint64_t state, const struct stat& seen) {
        if (!counts_) return;
        total_.mark += mix(mix(mix(state, seen.st_mode), seen.st_uid), seen.st_gid);
    }

    const std::set<std::string>& aside_;
    const std::function<bool()>& go_on_;
    TreeWalk walk_;
    TreeMark total_{};
    bool counts_ = true;
    std::vector<std::uint64_t> paths_{};  ///< of the directories from the top to the current one
    std::unordered_set<std::uint64_t> linked_{};
};

}  // namespace

Result<TreeMark> mark_tree(int tree, const std::set<std::string>& aside, const std::function<bool()>& go_on) {
    const auto home = identify(tree, "");
    if (!home) return std::unexpected(home.error());
    return Marker(home->mount, aside, go_on).run(tree);
}

}  // namespace jaild::files
