"""Which devices a worker trains on, found without loading TensorFlow."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_GPU_LINE = re.compile(r"^GPU \d+: (?P<name>.+) \(UUID: (?P<uuid>GPU-[^)]+)\)$")
_MIG_LINE = re.compile(r"^\s+(?P<name>MIG .+?)\s+Device\s+\d+: \(UUID: (?P<uuid>MIG-[^)]+)\)$")


class DeviceError(ValueError):
    """The devices asked for are not on this machine; the message says which are."""


@dataclass(frozen=True)
class Device:
    """What one trainer process sees: one GPU, or the CPU."""

    kind: str  # "cpu" or "gpu"
    identity: str  # as CUDA_VISIBLE_DEVICES takes it; "cpu" for the CPU
    name: str  # as people know it

    def __str__(self) -> str:
        return self.identity if self.kind == "cpu" else f"gpu {self.identity}"

    @property
    def description(self) -> dict[str, Any]:
        """What the server is told about it."""
        return {"kind": self.kind, "id": self.identity, "name": self.name}

    @property
    def environment(self) -> dict[str, str]:
        """Variables that TensorFlow must find set when it loads."""
        visible = "-1" if self.kind == "cpu" else self.identity
        return {"CUDA_VISIBLE_DEVICES": visible, "TF_FORCE_GPU_ALLOW_GROWTH": "true"}


CPU = Device("cpu", "cpu", "CPU")


def find_devices(
    choice: str, environment: Mapping[str, str] = os.environ, listing: str | None = None
) -> list[Device]:
    """The devices that ``choice`` names.

    ``choice`` is ``auto`` (all GPUs, else the CPU), ``cpu``, or positions among the visible GPUs
    such as ``0,1``. ``listing`` is what ``nvidia-smi -L`` prints; it is run when not given.

    Raises:
        DeviceError: a GPU is named that is not visible.
    """
    if choice == "cpu":
        return [CPU]
    gpus = visible_gpus(environment, _nvidia_smi() if listing is None else listing)
    if choice == "auto":
        return gpus or [CPU]
    return [_at(position.strip(), gpus) for position in dict.fromkeys(choice.split(","))]


def visible_gpus(environment: Mapping[str, str], listing: str) -> list[Device]:
    """GPUs of ``listing`` that ``CUDA_VISIBLE_DEVICES`` leaves visible; MIG parts count as GPUs."""
    installed = _parse(listing)
    if "CUDA_VISIBLE_DEVICES" not in environment:
        return installed
    visible: list[Device] = []
    for identity in environment["CUDA_VISIBLE_DEVICES"].split(","):
        if identity.strip() in ("", "-1"):  # CUDA ignores all that follows
            break
        visible.append(_known(identity.strip(), installed))
    return visible


def _known(identity: str, installed: list[Device]) -> Device:
    """CUDA orders GPUs by speed, nvidia-smi by slot: a bare index is passed on as it came."""
    for device in installed:
        if device.identity.startswith(identity):
            return device
    return Device("gpu", identity, installed[0].name if installed else "GPU")


def _parse(listing: str) -> list[Device]:
    devices: list[Device] = []
    whole: Device | None = None  # a GPU that no MIG line has followed yet
    for line in listing.splitlines():
        if match := _GPU_LINE.match(line):
            whole = Device("gpu", match["uuid"], match["name"])
            devices.append(whole)
        elif match := _MIG_LINE.match(line):
            if whole is not None:
                devices.remove(whole)
                whole = None
            devices.append(Device("gpu", match["uuid"], match["name"]))
    return devices


def _at(position: str, gpus: list[Device]) -> Device:
    if not position.isdecimal():
        raise DeviceError(f"--devices: {position!r} is not auto, cpu or a list such as 0,1")
    if int(position) >= len(gpus):
        seen = f"{len(gpus)} GPU(s), counted from 0" if gpus else "no GPU: use auto or cpu"
        raise DeviceError(f"--devices: there is no GPU {position}; this machine shows {seen}")
    return gpus[int(position)]


def _nvidia_smi() -> str:
    try:
        answer = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout if answer.returncode == 0 else ""
