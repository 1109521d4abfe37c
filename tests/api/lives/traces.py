"""What an installation has in this machine's kernel and run-time directories, as the machine itself tells it."""

import os
import pathlib
import re
import subprocess

from harness import Settings


def on_host(*argv):
    """Output of a program in the daemon's network namespace."""
    inside = ["nsenter", f"--net=/run/netns/{Settings.namespace}", "--"]
    return subprocess.run([*inside, *argv], capture_output=True, text=True, check=True).stdout


def processes(daemon, instance):
    """(pid, arguments) of all that name the state directory or a container, or are in a control group of ours."""
    found = []
    for directory in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            arguments = directory.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            groups = directory.joinpath("cgroup").read_text()
        except OSError:  # it has ended
            continue
        ours = str(daemon.state) in arguments or f"jaild-{instance}" in arguments or f"/jaild/{instance}/" in groups
        if arguments and ours and int(directory.name) not in (daemon.process.pid, os.getpid()):
            found.append(f"process {directory.name} {arguments}")
    return found


def groups(instance):
    tops = [pathlib.Path(line.split()[4], "jaild", instance)
            for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines() if " - cgroup" in line]
    return [f"cgroup {path}" for top in tops for path in (top, *top.rglob("*")) if path.is_dir()]


def traces(daemon, instance):
    """In words, one line each; of the packet filter all that is loaded for somebody."""
    found = processes(daemon, instance) + groups(instance)
    found += [f"namespace {name}" for name in os.listdir("/run/netns") if name.startswith(f"jaild-{instance}")]
    links = re.findall(r"^\d+: ([^:@]+)", on_host("ip", "-oneline", "link"), re.MULTILINE)
    found += [f"interface {name}" for name in links if name.startswith("j" + instance)]
    found += [f"mount {line.split()[4]}" for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
              if line.split()[4].startswith(str(daemon.state))]
    found += [f"directory {path}" for path in pathlib.Path(f"/run/jaild-{instance}").glob("**")]
    found += on_host("nft", "--stateless", "list", "ruleset").splitlines()
    return sorted(found)
