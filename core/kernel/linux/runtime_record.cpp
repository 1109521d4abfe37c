#include "core/kernel/linux/runtime_record.h"

#include <nlohmann/json.hpp>
#include <string>

namespace jaild::kernel {

namespace {

/// Stops the parser (by answering false) as soon as both numbers are known.
class HeadReader : public nlohmann::json_sax<nlohmann::json> {
public:
    RuntimeRecord record;
    [[nodiscard]] bool complete() const { return record.pid > 0 && record.started > 0; }

    bool null() override { return true; }
    bool boolean(bool) override { return true; }
    bool number_integer(number_integer_t) override { return true; }
    bool number_unsigned(number_unsigned_t value) override {
        if (depth_ == 1 && key_ == "init_process_pid") record.pid = static_cast<std::int64_t>(value);
        if (depth_ == 1 && key_ == "init_process_start") record.started = static_cast<std::int64_t>(value);
        return !complete();
    }
    bool number_float(number_float_t, const string_t&) override { return true; }
    bool string(string_t&) override { return true; }
    bool binary(binary_t&) override { return true; }
    bool start_object(std::size_t) override { return enter(); }
    bool key(string_t& name) override {
        if (depth_ == 1) key_ = name;
        return true;
    }
    bool end_object() override { return leave(); }
    bool start_array(std::size_t) override { return enter(); }
    bool end_array() override { return leave(); }
    bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

private:
    bool enter() {
        ++depth_;
        return true;
    }
    bool leave() {
        --depth_;
        return true;
    }
    int depth_ = 0;
    std::string key_;
};

}  // namespace

std::optional<RuntimeRecord> parse_runtime_record(std::string_view text) {
    HeadReader reader;
    nlohmann::json::sax_parse(text, &reader);
    if (!reader.complete()) return std::nullopt;
    return reader.record;
}

}  // namespace jaild::kernel
