"""Which devices are found, from what nvidia-smi and CUDA_VISIBLE_DEVICES say."""

from __future__ import annotations

import pytest

from lehr_worker.devices import CPU, Device, DeviceError, find_devices

TWO = """\
GPU 0: NVIDIA H200 (UUID: GPU-aaaa-1111)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-bbbb-2222)
"""
PARTS = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaa-1111)
  MIG 3g.20gb     Device  0: (UUID: MIG-cccc-3333)
  MIG 3g.20gb     Device  1: (UUID: MIG-dddd-4444)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-bbbb-2222)
"""


def found(choice: str, listing: str = TWO, **environment: str) -> list[str]:
    return [device.identity for device in find_devices(choice, environment, listing)]


def test_all_gpus_or_else_the_cpu() -> None:
    assert found("auto") == ["GPU-aaaa-1111", "GPU-bbbb-2222"]
    assert find_devices("auto", {}, "") == [CPU]
    assert find_devices("cpu", {}, TWO) == [CPU]


def test_parts_of_a_gpu_stand_for_it() -> None:
    assert found("auto", PARTS) == ["MIG-cccc-3333", "MIG-dddd-4444", "GPU-bbbb-2222"]


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("1,0", ["1", "0"]),
        ("GPU-bbbb", ["GPU-bbbb-2222"]),
        ("0,-1,1", ["0"]),
        ("", ["cpu"]),
        ("-1", ["cpu"]),
    ],
)
def test_only_visible_gpus_count(visible: str, expected: list[str]) -> None:
    assert found("auto", CUDA_VISIBLE_DEVICES=visible) == expected


def test_gpus_are_chosen_by_position_among_the_visible() -> None:
    assert found("1,0,1") == ["GPU-bbbb-2222", "GPU-aaaa-1111"]
    assert found("0", CUDA_VISIBLE_DEVICES="GPU-bbbb-2222") == ["GPU-bbbb-2222"]


@pytest.mark.parametrize(
    ("choice", "listing", "says"),
    [
        ("2", TWO, "there is no GPU 2; this machine shows 2 GPU"),
        ("0", "", "no GPU: use auto or cpu"),
        ("gpu", TWO, "'gpu' is not auto, cpu or a list such as 0,1"),
        ("0,", TWO, "'' is not auto"),
    ],
)
def test_what_is_not_there_is_an_error_that_says_what_is(
    choice: str, listing: str, says: str
) -> None:
    with pytest.raises(DeviceError, match=says):
        find_devices(choice, {}, listing)


def test_a_trainer_sees_its_device_only() -> None:
    gpu = Device("gpu", "GPU-aaaa-1111", "NVIDIA H200")
    assert gpu.environment["CUDA_VISIBLE_DEVICES"] == "GPU-aaaa-1111"
    assert gpu.environment["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    assert CPU.environment["CUDA_VISIBLE_DEVICES"] == "-1"
