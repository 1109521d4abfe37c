"""README and docs: what they tell somebody to type exists."""

import re
import unittest

import test_man
from settings import Settings

TEXTS = [Settings.source / "README.md", *sorted((Settings.source / "docs").glob("*.md"))]
# Of other programs: curl's, cmake's, and those of tools/run. building.md is about others altogether.
FOREIGN = {"--unix-socket", "--build", "--install", "--once"}


class Docs(unittest.TestCase):
    def test_each_command_of_jaildctl_is_one(self):
        commands = set(test_man.commands())
        for file in TEXTS:
            named = set(re.findall(r"\bjaildctl (?:-o \w+ )?([a-z][a-z-]*)\b", file.read_text()))
            self.assertEqual(sorted(named - commands), [], file.name)

    def test_each_long_option_is_one(self):
        known = test_man.options(Settings.build / "daemon/jaild") | test_man.options(Settings.build / "cli/jaildctl")
        for form in test_man.forms():
            known |= test_man.options(Settings.build / "cli/jaildctl", *form)
        self.assertIn("--state-dir", known)
        for file in (file for file in TEXTS if file.name != "building.md"):
            named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", file.read_text()))
            self.assertEqual(sorted(named - known - FOREIGN), [], file.name)

    def test_what_service_is_told_to_do_it_can(self):
        script = (Settings.source / "rc.d/jaild").read_text()
        can = set(re.search(r'^extra_commands="(.*)"', script, re.MULTILINE).group(1).split())
        can |= {"start", "stop", "restart", "status"}
        for file in [*TEXTS, *test_man.PAGES]:
            named = set(re.findall(r"\bservice jaild (\w+)", file.read_text()))
            self.assertEqual(sorted(named - can), [], file.name)

    def test_links_lead_somewhere(self):
        for file in TEXTS:
            for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", file.read_text()):
                if "://" not in link:
                    self.assertTrue((file.parent / link).exists(), f"{file.name}: {link}")
