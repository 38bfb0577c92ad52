"""A throw-away copy of this machine, with systemd as its first process.

It has this machine's files below a layer of its own, which takes all that is written and deleted, and its own
processes, network and name. Needs root, ``unshare``, ``nsenter`` and systemd. It must not start the machine's usual
units: one of them empties /tmp, which is the layer's here, and others set up the kernel, which is not.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.server import wait_for

ROOT = Path(__file__).parents[2]
SYSTEMD = Path("/lib/systemd/systemd")
_LEGACY_GROUPS = Path("/sys/fs/cgroup/systemd")  # control groups of version 1
# Only what a test starts is started.
_QUIET = ("sysinit.target", "basic.target", "network-online.target", "multi-user.target", "shutdown.target")
# pip reads the second one as "without isolation".
_WITHOUT_DOWNLOADS = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0"}
_BOOT = """
set -e
ip link set lo up
mount -t tmpfs tmpfs {layer}
mkdir {layer}/upper {layer}/work {layer}/root
mount -t overlay overlay -o lowerdir=/,upperdir={layer}/upper,workdir={layer}/work {layer}/root
cd {layer}/root
[ "$(stat -f -c %T .)" = overlayfs ]  # what follows deletes
for folder in proc dev; do mount --rbind /$folder $folder; done
number=0
for folder in {mounted}; do
    number=$((number + 1))
    mkdir {layer}/upper$number {layer}/work$number
    mount -t overlay overlay -o lowerdir=/$folder,upperdir={layer}/upper$number,workdir={layer}/work$number $folder
done
mount -t tmpfs tmpfs run
mkdir -p sys etc/systemd/system backup
mount -t tmpfs tmpfs sys
mkdir -p {groups}
mount {mount_groups} {groups}
rm -rf etc/systemd/system/* etc/default/chronos var/lib/chronos opt/chronos-py
rm -rf lib/systemd/system/*.wants lib/systemd/system-generators
for unit in {quiet}; do printf '[Unit]\\nDefaultDependencies=no\\n' > etc/systemd/system/$unit; done
echo Wants=systemd-journald.socket systemd-journald.service >> etc/systemd/system/multi-user.target
mount -o bind,ro proc/sys proc/sys
for folder in {entered}; do chmod a+x ./$folder; done
export container=other
exec chroot . {systemd} --system --unit=multi-user.target --log-target=console --show-status=no
"""


class Machine:
    """The copy, while it runs."""

    def __init__(self, folder: Path, first: int) -> None:
        self.log = folder / "systemd.log"
        self._first = first

    def run(self, command: str) -> str:
        """What root's shell in the checkout says to a command there."""
        done = self.attempt(command)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}\n{self.log.read_text()[-2000:]}"
        return done.stdout

    def attempt(self, command: str) -> subprocess.CompletedProcess[str]:
        spaces = ["-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w"]
        path = f"{sys.base_prefix}/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return subprocess.run(
            ["nsenter", "-t", str(self._first), *spaces, "bash", "-e", "-c", f"cd '{ROOT}'\n{command}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env={"PATH": path, "LANG": "C.UTF-8", **_WITHOUT_DOWNLOADS},
        )


def _own_group() -> Path:
    """This process's control group, in systemd's hierarchy."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        hierarchy, names, path = line.split(":", 2)
        if names == "name=systemd":
            return _LEGACY_GROUPS / path.lstrip("/")
        if hierarchy == "0" and not _LEGACY_GROUPS.exists():
            return Path("/sys/fs/cgroup") / path.lstrip("/")
    raise AssertionError("no control group of systemd's")


def _remove(group: Path) -> bool:
    try:
        for each in (*sorted(group.glob("**/"), reverse=True), group):
            if each.exists():
                each.rmdir()
    except OSError:  # there are processes still
        return False
    return True


@contextmanager
def booted(folder: Path) -> Iterator[Machine]:
    """A copy that runs until the end of the block; ``folder`` gets its log."""
    layer = folder / "layer"
    layer.mkdir()
    tree = {ROOT, Path(sys.prefix), Path(sys.base_prefix)}
    mounts = sorted(place for place in tree if place.stat().st_dev != Path("/").stat().st_dev)
    mounts = [place for place in mounts if not any(place.is_relative_to(other) for other in mounts if other != place)]
    # A user of the copy must come through to this Python, wherever it is.
    entered = {parent for place in tree for parent in place.parents if not parent.stat().st_mode & 0o001}
    script = _BOOT.format(
        layer=layer,
        mounted=" ".join(str(place).lstrip("/") for place in mounts),
        entered=" ".join(str(place).lstrip("/") for place in sorted(entered)),
        quiet=" ".join(_QUIET),
        systemd=SYSTEMD,
        groups="sys/fs/cgroup/systemd" if _LEGACY_GROUPS.exists() else "sys/fs/cgroup",
        mount_groups="-t cgroup -o none,name=systemd cgroup" if _LEGACY_GROUPS.exists() else "-t cgroup2 cgroup2",
    )
    group = _own_group() / f"machine{os.getpid()}"
    group.mkdir()
    begin = 'echo $$ > "$0"/cgroup.procs && exec unshare "$@"'
    spaces = ["--cgroup", "--mount", "--pid", "--uts", "--ipc", "--net", "--fork", "--kill-child", "--mount-proc"]
    with (folder / "systemd.log").open("wb") as log:
        booting = subprocess.Popen(
            ["sh", "-c", begin, group, *spaces, "sh", "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:

        def first_process() -> int | None:
            assert booting.poll() is None, (folder / "systemd.log").read_text()
            children = Path(f"/proc/{booting.pid}/task/{booting.pid}/children").read_text().split()
            return int(children[0]) if children else None

        machine = Machine(folder, wait_for("a first process", first_process))
        wait_for("systemd", lambda: machine.attempt("systemctl is-active multi-user.target").returncode == 0, 60)
        yield machine
    finally:
        os.killpg(booting.pid, signal.SIGKILL)
        booting.wait(60)
        wait_for("the end of its processes", lambda: _remove(group))
