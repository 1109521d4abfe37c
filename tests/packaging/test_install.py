"""What `cmake --install` makes, and what ports and packages say of it."""

import platform
import re
import subprocess
import tempfile
import pathlib
import unittest

import installed_files
from settings import Settings

PORT = Settings.source / "ports/sysutils/jaild"
LISTS = {"FreeBSD": PORT / "pkg-plist", "Linux": Settings.source / "packaging/linux-files"}


class Install(unittest.TestCase):
    def test_the_files_are_those_of_the_list(self):
        self.assertEqual(installed_files.differences(Settings.build, LISTS[platform.system()], Settings.cmake), [])

    def test_the_comparison_can_fail(self):
        with tempfile.TemporaryDirectory(prefix="jaild-install-") as scratch:
            file = pathlib.Path(scratch) / "list"
            lines = LISTS[platform.system()].read_text().replace("sbin/jaild\n", "sbin/another\n")
            file.write_text(lines)
            self.assertEqual(installed_files.differences(Settings.build, file, Settings.cmake),
                             ["installed, but not in list: sbin/jaild", "in list, but not installed: sbin/another"])

    def test_both_systems_get_the_same_but_for_their_own(self):
        own = {"FreeBSD": {"etc/rc.d/jaild", "etc/newsyslog.conf.d/jaild.conf.sample", "libexec/jaild/jaild-inside"},
               "Linux": {"lib/systemd/system/jaild.service", "libexec/jaild/jaild-lease",
                         "libexec/jaild/jaild-pause"}}
        common = [installed_files.listed(file) - own[system] for system, file in LISTS.items()]
        self.assertEqual(common[0], common[1])

    def test_an_installed_jaild_finds_its_helpers(self):
        with tempfile.TemporaryDirectory(prefix="jaild-install-") as scratch:
            prefix = installed_files.install(Settings.build, pathlib.Path(scratch), Settings.cmake)
            # It looks for them before it opens the database, which is no database here.
            state = pathlib.Path(scratch) / "state"
            state.mkdir(mode=0o700)
            (state / "jaild.db").write_text("this is no database, but long enough to be looked at as one: " * 40)
            command = [prefix / "sbin/jaild", "--state-dir", state, "--kernel", "memory"]
            ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(ran.returncode, 1)
            self.assertNotIn("jaild-shim", ran.stderr)
            self.assertIn("database", ran.stderr)
            (prefix / "libexec/jaild/jaild-shim").unlink()
            ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            self.assertIn("jaild-shim", ran.stderr)


class Sample(unittest.TestCase):
    """packaging/jaild.toml.sample, its manual page, and what jaild takes."""

    sample = (Settings.source / "packaging/jaild.toml.sample").read_text()

    def check(self, text):
        with tempfile.TemporaryDirectory(prefix="jaild-install-") as scratch:
            file = pathlib.Path(scratch) / "jaild.toml"
            file.touch(mode=0o600)
            file.write_text(text)
            return subprocess.run([Settings.build / "daemon/jaild", "--check-config", "--config", file],
                                  capture_output=True, text=True, timeout=60, check=False)

    def test_it_is_taken_as_it_is_and_with_all_that_is_commented_out(self):
        self.assertEqual(self.check(self.sample).returncode, 0)
        whole = re.sub(r"^#(\w|\[)", r"\1", self.sample, flags=re.MULTILINE).replace('"..."', '"0123456789abcdef"')
        ran = self.check(whole)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        self.assertIn("\n[[token]]\n", whole)

    def test_sample_and_manual_page_have_every_key(self):
        source = (Settings.source / "daemon/config.cpp").read_text()
        keys = set(re.findall(r'key [!=]= "(\w+)"', source)) - {"token"}
        page = (Settings.source / "man/jaild.toml.5").read_text()
        self.assertGreater(len(keys), 8)
        self.assertEqual(set(re.findall(r"^\.It Va (\w+) No =", page, re.MULTILINE)), keys)
        sampled = set(re.findall(r"^#(\w+) = ", self.sample, re.MULTILINE))
        self.assertEqual(sampled, keys - {"kernel"}, "the memory kernel and the like are nobody's configuration")


class Unit(unittest.TestCase):
    """packaging/jaild.service.in: that the jails outlive jaild, and miss nothing."""

    @classmethod
    def setUpClass(cls):
        text = (Settings.source / "packaging/jaild.service.in").read_text()
        cls.settings = {}
        for name, value in re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE):
            cls.settings.setdefault(name, []).append(value)

    def test_a_stop_leaves_the_jails_alone(self):
        self.assertEqual(self.settings["KillMode"], ["process"])
        self.assertEqual(self.settings["Delegate"], ["yes"])
        self.assertEqual(self.settings["OOMPolicy"], ["continue"])

    def test_a_shutdown_has_the_time_that_jaild_takes_for_it(self):
        self.assertIn("kill -USR1", self.settings["ExecStop"][0])
        page = (Settings.source / "man/jaild.8").read_text()
        seconds = int(re.search(r"after\n(\d+) seconds", page).group(1))
        self.assertGreater(int(self.settings["TimeoutStopSec"][0]), seconds)

    def test_nothing_is_taken_from_the_jails(self):
        # Seccomp filters, which every program in a jail would inherit; namespaces of mounts, which would hide the jails'.
        names = re.compile(r"Protect|Private|ReadOnly|ReadWrite|Inaccessible|Bind|Root|Temporary|Mount|SystemCall|Restrict"
                           r"|LockPersonality|MemoryDeny|NoNewPrivileges|DynamicUser|Device|(No)?ExecPaths")
        self.assertEqual([name for name in self.settings if names.match(name)], [])
        self.assertRegex("ProtectSystem", names)
        dropped = self.settings["CapabilityBoundingSet"][0]
        self.assertTrue(dropped.startswith("~"), "a list of what is left would have to follow the kernel's")
        header = (Settings.source / "core/kernel/linux/capabilities.h").read_text()
        jails = set(re.findall(r'"(CAP_\w+)"', header))
        self.assertGreater(len(jails), 5)
        self.assertEqual(jails & set(dropped[1:].split()), set())


class Agreement(unittest.TestCase):
    """What is written down in two places."""

    def test_newsyslog_signals_who_writes_the_log(self):
        script = (Settings.source / "rc.d/jaild").read_text()
        line = (Settings.source / "packaging/newsyslog.conf").read_text().splitlines()[-1].split()
        self.assertEqual(line[0], re.search(r'jaild_logfile:="(.*?)"', script).group(1))
        self.assertEqual(line[-1], re.search(r'^pidfile="(.*)"', script, re.MULTILINE).group(1))
        self.assertIn("-P $pidfile", script)
        self.assertIn("-H", script.split("jaild_prepend=")[1].split("\n")[0], "it opens the log anew")
        self.assertEqual(line[2], "600", "what jails are called and why they fail is nobody's but root's")

    def test_the_lines_for_pf_are_the_same_everywhere(self):
        source = (Settings.source / "core/kernel/freebsd/pure/pf_rules.cpp").read_text()
        lines = re.findall(r'R"\((.*?anchor "jaild/\*")\)"', source)
        self.assertEqual(len(lines), 3)
        for name in ("man/jaild.8", "docs/freebsd.md", "ports/sysutils/jaild/pkg-message"):
            text = (Settings.source / name).read_text()
            places = [text.index("\n" + " " * (4 * (name != "man/jaild.8")) + line + "\n") for line in lines]
            self.assertEqual(places, sorted(places), f"{name}: pf.conf(5) wants translation before filter rules")


class Port(unittest.TestCase):
    def test_it_has_the_project_s_version(self):
        version = re.search(r"project\(jaild VERSION ([\d.]+)", (Settings.source / "CMakeLists.txt").read_text()).group(1)
        self.assertIn(f"DISTVERSION=\t{version}\n", (PORT / "Makefile").read_text())

    def test_its_description_is_as_ports_want_it(self):
        for line in (PORT / "pkg-descr").read_text().splitlines():
            self.assertLessEqual(len(line), 80, line)
        comment = re.search(r"^COMMENT=\t(.*)$", (PORT / "Makefile").read_text(), re.MULTILINE).group(1)
        self.assertLessEqual(len(comment), 70)
        self.assertFalse(comment.endswith(".") or comment.startswith(("A ", "An ", "The ")), comment)
