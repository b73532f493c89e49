"""Runs a program under the system call filter of a systemd unit: confined.py UNIT PROGRAM..."""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
import sys

_ALLOW, _ERRNO_EPERM = 0x7FFF0000, 0x00050000 | errno.EPERM


def calls(unit: str) -> set[str]:
    """The system calls that the unit's ``SystemCallFilter=`` lines leave to it."""
    allowed: set[str] = set()
    with open(unit) as lines:
        for line in lines:
            name, _, value = line.strip().partition("=")
            if name == "SystemCallFilter":
                groups = expanded(value.removeprefix("~").split())
                allowed = allowed - groups if value.startswith("~") else allowed | groups
    return allowed | expanded(["@default"])


def expanded(groups: list[str]) -> set[str]:
    found: set[str] = set()
    for group in groups:
        said = subprocess.run(
            ["systemd-analyze", "syscall-filter", group], capture_output=True, text=True, check=True
        ).stdout
        names = [line.strip() for line in said.splitlines()[1:] if line.startswith(" ")]
        names = [name for name in names if not name.startswith("#")]
        found |= {name for name in names if not name.startswith("@")}
        found |= expanded([name for name in names if name.startswith("@")])
    return found


def confine(allowed: set[str]) -> None:
    """From now on all other calls fail with EPERM, as the units ask for."""
    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(_ERRNO_EPERM)))
    for name in allowed:
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:
            library.seccomp_rule_add(context, ctypes.c_uint32(_ALLOW), number, 0)
    if library.seccomp_load(context) != 0:
        raise OSError("the filter cannot be loaded")


if __name__ == "__main__":
    confine(calls(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])
