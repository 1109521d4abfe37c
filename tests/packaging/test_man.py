"""The manual pages: well-formed, and complete."""

import re
import shutil
import subprocess
import unittest

import yaml

from settings import Settings

PAGES = sorted((Settings.source / "man").iterdir())


def page(name):
    """Its text as a reader sees it, but in one line."""
    shown = subprocess.run(["mandoc", "-Tutf8", str(Settings.source / "man" / name)], capture_output=True, text=True,
                           check=True).stdout
    return re.sub(r"\s+", " ", re.sub(r".\x08", "", shown))


def options(program, *subcommand):
    """The options that --help shows: {"-n", "--tail", ...}."""
    shown = subprocess.run([str(program), *subcommand, "--help"], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", "\n".join(
        line[:28] for line in shown.splitlines() if line.startswith("  -"))))


def commands():
    """Those that `jaildctl --help` lists."""
    shown = subprocess.run([str(Settings.build / "cli/jaildctl"), "--help"], capture_output=True, text=True,
                           check=True).stdout
    return re.findall(r"^  ([a-z-]+) {2,}\S", shown[shown.index("Subcommands:"):shown.index("Examples:")], re.MULTILINE)


def forms():
    """What `--help` can be asked of: each command, and each of a command's own ("network", "create")."""
    found = []
    for command in commands():
        found.append([command])
        shown = subprocess.run([str(Settings.build / "cli/jaildctl"), command, "--help"], capture_output=True, text=True,
                               check=True).stdout
        if "Subcommands:" in shown:
            own = re.findall(r"^  ([a-z-]+) {2,}\S", shown[shown.index("Subcommands:"):], re.MULTILINE)
            found += [[command, one] for one in own]
    return found


class Pages(unittest.TestCase):
    def setUp(self):
        self.assertIsNotNone(shutil.which("mandoc"), "sh tools/install-deps --tests")

    def test_mandoc_has_nothing_to_say(self):
        self.assertEqual([file.name for file in PAGES], ["jaild.8", "jaild.toml.5", "jaildctl.8"])
        for file in PAGES:
            ran = subprocess.run(["mandoc", "-Tlint", str(file)], capture_output=True, text=True, check=False)
            # Whether the other system's pages, and these, are installed here is no matter of theirs.
            said = [line for line in ran.stdout.splitlines() if "STYLE: referenced manual not found" not in line]
            self.assertEqual(said, [], file.name)

    def test_the_pages_refer_to_each_other(self):
        names = {file.stem: file.suffix[1:] for file in PAGES}
        for file in PAGES:
            text = file.read_text()
            end = text[text.index(".Sh SEE ALSO"):]
            for name, section in names.items():
                if name != file.stem:
                    self.assertIn(f".Xr {name} {section}", end, file.name)

    def test_jaild_8_has_every_option(self):
        found = options(Settings.build / "daemon/jaild")
        self.assertIn("--state-dir", found)
        text = page("jaild.8")
        self.assertEqual([option for option in sorted(found) if option not in text], [])
        named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))
        self.assertEqual(sorted(named - found - {"--unix-socket"}), [], "curl's, or options that jaild does not have")

    def test_jaildctl_8_has_every_command_and_option(self):
        program = Settings.build / "cli/jaildctl"
        known_commands = commands()
        self.assertIn("create", known_commands)
        text = page("jaildctl.8")
        known = options(program)
        for form in forms():
            self.assertRegex(text, rf"(^|[ (|]){' '.join(form)}($|[ |)])", form)
            known |= options(program, *form)
        self.assertEqual([option for option in sorted(known) if option not in text], [])
        named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))
        self.assertEqual(sorted(named - known), [], "options that jaildctl does not have")

    def test_no_page_has_a_short_option_that_its_program_does_not_take(self):
        for name, program, asked in (("jaild.8", "daemon/jaild", [[]]), ("jaildctl.8", "cli/jaildctl", [[], *forms()])):
            known = set().union(*(options(Settings.build / program, *form) for form in asked))
            text = (Settings.source / "man" / name).read_text()
            # Clusters too: "Fl ft" is -f and -t.
            named = {f"-{letter}" for cluster in re.findall(r"\bFl ([a-zA-Z]+)\b", text) for letter in cluster}
            self.assertEqual(sorted(named - known), [], name)

    def test_the_environment_is_told_of(self):
        read = set()
        for folder in ("daemon", "cli"):
            for file in sorted((Settings.source / folder).glob("*.cpp")):
                read |= set(re.findall(r'(?:getenv|environment)\("([A-Z_]+)"\)', file.read_text()))
        self.assertLessEqual({"JAILD_HOST", "NOTIFY_SOCKET"}, read)
        told = set()
        for file in PAGES:
            told |= set(re.findall(r"^\.It Ev (\w+)$", file.read_text(), re.MULTILINE))
        self.assertEqual(told, read)

    def test_jaildctl_8_has_every_field_of_a_spec(self):
        with open(Settings.source / "openapi/jaild.yaml", encoding="utf-8") as file:
            spec = yaml.safe_load(file)["components"]["schemas"]["Spec"]
        page_text = (Settings.source / "man/jaildctl.8").read_text()
        fields = page_text[page_text.index(".Sh THE SPEC"):page_text.index(".Sh ENVIRONMENT")]
        self.assertEqual(sorted(re.findall(r"^\.It Va (\w+)$", fields, re.MULTILINE)), sorted(spec["properties"]))

    def test_every_signal_and_file_of_the_service_script_is_told_of(self):
        text = page("jaild.8")
        script = (Settings.source / "rc.d/jaild").read_text()
        for word in re.findall(r"kill -(\w+)", script):
            self.assertIn(f"SIG{word}", text)
        for word in set(re.findall(r"/var/(?:run|log)/[\w.-]+", script)) | set(re.findall(r"jaild_(?:\w+)(?==\")", script)):
            if word not in ("jaild_pidfile", "jaild_prepend", "jaild_svcj"):
                self.assertIn(word, text)
