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


class Pages(unittest.TestCase):
    def setUp(self):
        self.assertIsNotNone(shutil.which("mandoc"), "sh tools/install-deps --tests")

    def test_mandoc_has_nothing_to_say(self):
        self.assertEqual([file.name for file in PAGES], ["jaild.8", "jaild.toml.5", "jaildctl.8"])
        for file in PAGES:
            ran = subprocess.run(["mandoc", "-Tlint", "-Wwarning", str(file)], capture_output=True, text=True, check=False)
            self.assertEqual((ran.returncode, ran.stdout), (0, ""), file.name)

    def test_jaild_8_has_every_option(self):
        found = options(Settings.build / "daemon/jaild")
        self.assertIn("--state-dir", found)
        text = page("jaild.8")
        self.assertEqual([option for option in sorted(found) if option not in text], [])
        named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))
        self.assertEqual(sorted(named - found - {"--unix-socket"}), [], "curl's, or options that jaild does not have")

    def test_jaildctl_8_has_every_command_and_option(self):
        program = Settings.build / "cli/jaildctl"
        shown = subprocess.run([str(program), "--help"], capture_output=True, text=True, check=True).stdout
        commands = re.findall(r"^  ([a-z-]+) {2,}\S", shown[shown.index("Subcommands:"):shown.index("Examples:")],
                              re.MULTILINE)
        self.assertIn("create", commands)
        text = page("jaildctl.8")
        known = options(program)
        for command in commands:
            self.assertRegex(text, rf"(^|[ (|]){command}($|[ |)])", command)
            known |= options(program, command)
        self.assertEqual([option for option in sorted(known) if option not in text], [])
        named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))
        self.assertEqual(sorted(named - known), [], "options that jaildctl does not have")

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
            if word not in ("jaild_pidfile", "jaild_prepend"):
                self.assertIn(word, text)
