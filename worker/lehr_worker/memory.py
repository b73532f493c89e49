"""The memory that trainers hold and may hold, as Linux tells it; elsewhere nothing is known."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

SHARE = 0.9  # of what the machine or the control group has, for one trainer, by default
GROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
MACHINE = Path("/proc/vmstat")
HELD = ("RssAnon:", "RssShmem:", "VmSwap:")  # not RssFile: the kernel takes files' pages back

_LIMITS = ("memory.max", "memory.limit_in_bytes")
_EVENTS = ("memory.events", "memory.oom_control")


def usual_limit() -> int | None:
    """Bytes that one trainer may hold where no setting says so; None where that is unknown.

    Nine tenths of what this machine, or the control group of this process, has: a trial that goes
    beyond ends by itself, before the kernel chooses a process to kill.
    """
    known = [_whole(g / name) for groups in _own_groups() for g in groups for name in _LIMITS]
    limits = [limit for limit in (*known, _installed()) if limit is not None]
    return int(SHARE * min(limits)) if limits else None


def held(pid: int) -> int | None:
    """Bytes of memory that are the process's own, swapped ones included; None if unknown."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    found = [int(line.split()[1]) * 1024 for line in lines if line.startswith(HELD)]
    return sum(found) if found else None


def kernel_kills() -> int | None:
    """How often the kernel has killed for memory, in this control group or else on this machine.

    None where the kernel does not tell.
    """
    own = [group / name for groups in _own_groups() for group in groups[:1] for name in _EVENTS]
    for files in (own, [MACHINE]):
        found = [count for file in files if (count := _kills(file)) is not None]
        if found:
            return sum(found)
    return None


def readable(size: int) -> str:
    """In the unit that a person would choose."""
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"


def _own_groups() -> Iterator[list[Path]]:
    """This process's control group, and those around it, in each hierarchy that knows memory."""
    try:
        lines = MEMBERSHIP.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        root = next((r for c, r in _roots().items() if c in controllers.split(",")), None)
        if root is not None:
            own = root / path.lstrip("/")
            around = [folder for folder in own.parents if folder.is_relative_to(root)]
            yield [folder for folder in (own, *around) if folder.is_dir()]


def _roots() -> dict[str, Path]:
    """Of control groups of version 2, and of version 1."""
    return {"": GROUPS, "memory": GROUPS / "memory"}


def _whole(file: Path) -> int | None:
    """The limit in the file; None where it is `max`."""
    try:
        text = file.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None


def _installed() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


def _kills(file: Path) -> int | None:
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)
