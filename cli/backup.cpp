#include <CLI/CLI.hpp>
#include <memory>

#include "cli/commands.h"
#include "cli/save.h"

/// jaildctl backup
namespace jaild::cli {

void add_backup_command(CLI::App& app, Command& chosen) {
    auto file = std::make_shared<std::string>();
    auto* sub = app.add_subcommand("backup", "a copy of jaild's database, for jaild --restore; for administrators");
    sub->footer(
        "What jaild was asked for is in it, secrets too: the file is readable by its owner alone. What lies in roots, "
        "templates\nand snapshots is not: back the state directory up for that.\n"
        "Examples:\n"
        "  jaildctl backup jaild-backup.db\n"
        "  jaildctl backup - | gzip | ssh other 'umask 077; cat > jaild-backup.db.gz'");
    sub->add_option("file", *file, "where to write it; - is standard output")->required();
    sub->callback([file, &chosen] {
        chosen = [file](Context& context) {
            return save(context, {.target = "/v1/host/backup"}, *file,
                        {.what = "backup", .example = "jaild-backup.db"});
        };
    });
}

}  // namespace jaild::cli
