#include "core/kernel/shim/protocol/messages.h"

#include "core/kernel/shim/protocol/wire.h"

namespace jaild::shim {
namespace {

template <class T>
std::optional<T> whole(const Reader& reader, T value) {
    if (!reader.ok()) return std::nullopt;
    return value;
}

}  // namespace

std::string Hello::encode() const {
    return Writer().u32(version).text(program).i64(pid).take();
}

std::optional<Hello> Hello::decode(std::string_view body) {
    Reader reader(body);
    Hello hello{.version = reader.u32(), .program = reader.text(), .pid = reader.i64()};
    if (hello.version == 0) return std::nullopt;
    return whole(reader, std::move(hello));
}

std::string Launch::encode() const {
    Writer writer;
    writer.u8(static_cast<std::uint8_t>(mode)).list(argv).list(environment).text(document).text(pid_file);
    writer.text(jail_name).i64(jid).text(jail_path).text(user).text(directory);
    return writer.take();
}

std::optional<Launch> Launch::decode(std::string_view body) {
    Reader reader(body);
    Launch launch{.mode = static_cast<LaunchMode>(reader.u8()),
                  .argv = reader.list(),
                  .environment = reader.list(),
                  .document = reader.text(),
                  .pid_file = reader.text(),
                  .jail_name = reader.text(),
                  .jid = reader.i64(),
                  .jail_path = reader.text(),
                  .user = reader.text(),
                  .directory = reader.text()};
    if (launch.mode != LaunchMode::helper && launch.mode != LaunchMode::jail) return std::nullopt;
    if (launch.argv.empty()) return std::nullopt;
    // The shim opens and removes this name in its own directory: it must be one there.
    if (launch.pid_file.find('/') != std::string::npos || launch.pid_file.starts_with('.')) return std::nullopt;
    if (launch.mode == LaunchMode::helper && launch.pid_file.empty()) return std::nullopt;
    return whole(reader, std::move(launch));
}

// The launch is one string within the message, so that both can grow at their ends.
std::string Run::encode() const {
    return Writer().text(launch.encode()).i64(timeout_ms).u8(marks_start ? 1 : 0).take();
}

std::optional<Run> Run::decode(std::string_view body) {
    Reader reader(body);
    auto launch = Launch::decode(reader.text());
    if (!launch) return std::nullopt;
    Run run{.launch = *std::move(launch), .timeout_ms = reader.i64(), .marks_start = reader.u8() != 0};
    return whole(reader, std::move(run));
}

std::string RunHook::encode() const {
    return Writer().u8(hook).list(argv).list(environment).i64(timeout_ms).u8(success == Remembered::yes ? 1 : 0).take();
}

std::optional<RunHook> RunHook::decode(std::string_view body) {
    Reader reader(body);
    RunHook run{.hook = reader.u8(),
                .argv = reader.list(),
                .environment = reader.list(),
                .timeout_ms = reader.i64(),
                .success = reader.u8() != 0 ? Remembered::yes : Remembered::no};
    if (run.hook >= kMostHooks || run.argv.empty()) return std::nullopt;
    return whole(reader, std::move(run));
}

std::string StopCommand::encode() const {
    return Writer().i64(grace_ms).take();
}

std::optional<StopCommand> StopCommand::decode(std::string_view body) {
    Reader reader(body);
    return whole(reader, StopCommand{.grace_ms = reader.i64()});
}

std::string FailCommand::encode() const {
    return Writer().i64(exit_code).text(text).take();
}

std::optional<FailCommand> FailCommand::decode(std::string_view body) {
    Reader reader(body);
    FailCommand fail{.exit_code = reader.i64(), .text = reader.text()};
    return whole(reader, std::move(fail));
}

std::string Signal::encode() const {
    return Writer().i64(number).take();
}

std::optional<Signal> Signal::decode(std::string_view body) {
    Reader reader(body);
    return whole(reader, Signal{.number = reader.i64()});
}

std::string RunHelper::encode() const {
    return Writer().list(argv).list(environment).i64(timeout_ms).i64(output_limit).text(pid_file).take();
}

std::optional<RunHelper> RunHelper::decode(std::string_view body) {
    Reader reader(body);
    RunHelper helper{.argv = reader.list(),
                     .environment = reader.list(),
                     .timeout_ms = reader.i64(),
                     .output_limit = reader.i64(),
                     .pid_file = reader.text()};
    if (helper.argv.empty() || helper.output_limit < 0) return std::nullopt;
    return whole(reader, std::move(helper));
}

std::string HelperDone::encode() const {
    return Writer().i64(exit_code).u8(timed_out ? 1 : 0).text(output).text(error_output).take();
}

std::optional<HelperDone> HelperDone::decode(std::string_view body) {
    Reader reader(body);
    HelperDone done{.exit_code = reader.i64(),
                    .timed_out = reader.u8() != 0,
                    .output = reader.text(),
                    .error_output = reader.text()};
    return whole(reader, std::move(done));
}

std::string Started::encode() const {
    return Writer().i64(pid).take();
}

std::optional<Started> Started::decode(std::string_view body) {
    Reader reader(body);
    return whole(reader, Started{.pid = reader.i64()});
}

std::string Refused::encode() const {
    return Writer().u8(static_cast<std::uint8_t>(stage)).i64(code).text(text).take();
}

std::optional<Refused> Refused::decode(std::string_view body) {
    Reader reader(body);
    Refused refused{.stage = static_cast<Stage>(reader.u8()), .code = reader.i64(), .text = reader.text()};
    return whole(reader, std::move(refused));
}

std::string Ended::encode() const {
    return Writer().i64(exit_code).i64(signal).u8(timed_out ? 1 : 0).take();
}

std::optional<Ended> Ended::decode(std::string_view body) {
    Reader reader(body);
    return whole(reader, Ended{.exit_code = reader.i64(), .signal = reader.i64(), .timed_out = reader.u8() != 0});
}

std::string Failed::encode() const {
    return Writer().text(reason).text(text).take();
}

std::optional<Failed> Failed::decode(std::string_view body) {
    Reader reader(body);
    Failed failed{.reason = reader.text(), .text = reader.text()};
    return whole(reader, std::move(failed));
}

}  // namespace jaild::shim
