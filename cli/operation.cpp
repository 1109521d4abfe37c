#include "cli/operation.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/table.h"

namespace jaild::cli {
namespace {

using nlohmann::json;

constexpr std::chrono::milliseconds kLookEvery{250};

/// A line on the terminal that shows how far an operation is.
class ProgressLine {
public:
    ProgressLine() : shown_(::isatty(STDERR_FILENO) != 0) {}
    ~ProgressLine() { clear(); }
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;

    void show(const json& operation) const {
        if (!shown_) return;
        const auto& progress = operation.at("progress");
        if (!progress.is_object()) return;
        std::string line = text(progress, "phase") + " " + text(progress, "item");
        if (const auto total = progress.at("total"); total.is_number() && total.get<double>() > 0)
            line += fmt::format(" {:.0f}%", 100.0 * progress.at("done").get<double>() / total.get<double>());
        if (progress.value("entries", 0) > 0)
            line += fmt::format(", {} entries, {}", progress.at("entries").get<std::uint64_t>(),
                                size_text(progress.at("bytes")));
        fmt::print(stderr, "\r\x1b[K{}", line);
    }
    void clear() const {
        if (shown_) fmt::print(stderr, "\r\x1b[K");
    }

private:
    bool shown_;
};

}  // namespace

json wait_for_operation(Context& context, const std::string& id, int& exit) {
    const ProgressLine line;
    while (true) {
        auto operation = get(context, "/v1/operations/" + client::encode(id), exit);
        if (!operation) return nullptr;
        if (operation->value("state", "") != "running") return *std::move(operation);
        line.show(*operation);
        std::this_thread::sleep_for(kLookEvery);
    }
}

}  // namespace jaild::cli
