"""What TensorFlow says as it loads is not shown; what else is printed is, whatever happens."""

import os
import subprocess
import sys

import pytest

from lehr_worker import noise
from lehr_worker.devices import CPU
from lehr_worker.process import TrainerProcess

LOADING = (
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n",
    "I0000 00:00:1795304583.308450    9686 port.cc:153] oneDNN custom operations are on.\n",
    "I0000 00:00:1795304583.310653    9686 cudart_stub.cc:31] Could not find cuda drivers\n",
    "E0000 00:00:1795305497.219170   19742 cuda_platform.cc:52] failed call to cuInit: INTERNAL: "
    "CUDA error: Failed call to cuInit: UNKNOWN ERROR (303)\n",
)
TOLD = (
    "E0000 00:00:1795305497.219170   19742 cuda_platform.cc:52] failed call to cuInit: INTERNAL: "
    "CUDA error: CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected (100)\n",
    "F0000 00:00:1795305497.219170   19742 cpu_feature_guard.cc:58] built to use AVX\n",
    "I was printed by a task\n",
)


def test_only_what_nobody_can_act_on_is_noise(monkeypatch):
    monkeypatch.delenv(noise.LEVEL, raising=False)
    assert [noise.is_noise(line) for line in LOADING] == [True] * len(LOADING)
    assert not any(noise.is_noise(line) for line in TOLD)
    monkeypatch.setenv(noise.LEVEL, "0")
    assert not any(noise.is_noise(line) for line in LOADING), "who asks for all gets all"


@pytest.mark.parametrize("end", ["pass", "raise SystemExit(3)", "os.abort()"])
def test_the_rest_is_shown_however_loading_ends(end):
    lines = "".join([*LOADING, *TOLD])
    code = (
        "import os\nfrom lehr_worker import noise\n"
        f"with noise.unheard():\n    os.write(2, {lines!r}.encode())\n    {end}\n"
        "os.write(2, b'after')"
    )
    env = {name: value for name, value in os.environ.items() if name != noise.LEVEL}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    after = {"pass": "after"}.get(end, "")
    assert ran.stderr == "".join(TOLD) + after


def test_a_trainers_noise_is_not_shown(monkeypatch, capsys):
    monkeypatch.delenv(noise.LEVEL, raising=False)
    trainer = TrainerProcess(CPU, {}, None)
    trainer._show("".join([*LOADING, *TOLD]))
    assert capsys.readouterr().err == "".join(TOLD)
