"""A trial as a program: it is Python, and its optimizer is one that Keras makes."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from lehr.keras_code import keras_code
from lehr.wire.optimizers import OPTIMIZERS
from lehr.wire.studies import StudyDefinition
from lehr.wire.trials import Trial
from lehr_worker.tasks import digits


def program(optimizer, params, schedule=None, goals=None, **ended):
    definition = StudyDefinition.model_validate(
        {
            "name": "study",
            "task": "digits_mlp",
            "objective": None if goals else {"metric": "val_loss", "direction": "minimize"},
            "objectives": goals,
            "search_space": {
                "optimizer": {optimizer: {"learning_rate": {"low": 0.01, "high": 0.1}}},
                "schedule": schedule or {"constant": {}},
                "parameters": {"hidden_units": 16},
            },
            "training": {"epochs": 2},
        }
    )
    trial = Trial.model_validate(
        {
            "study": "study",
            "number": 3,
            "state": "complete",
            "params": {"optimizer": optimizer, f"{optimizer}.learning_rate": 0.05} | params,
            "value": 0.5,
            "attempts": 1,
            "steps": 2,
            "revision": 1,
            "created_at": "2026-01-01T00:00:00Z",
        }
        | ended
    )
    return keras_code(definition, trial, seed=7)


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_is_written_as_keras_makes_it(name):
    import keras

    code = program(name, {"schedule": "constant"})
    call = next(k for k in ast.walk(ast.parse(code)) if getattr(k, "arg", "") == "optimizer")
    made = eval(ast.unparse(call.value), {"keras": keras})
    assert float(made.learning_rate) == pytest.approx(0.05)
    if name == "momentum":
        assert made.momentum == 0.9


def test_the_schedule_and_the_parameters_are_the_trials():
    schedule = {"cosine": {"alpha": {"low": 0.0, "high": 0.1}}}
    code = program("sgd", {"schedule": "cosine", "cosine.alpha": 0.03}, schedule)
    assert "{'name': 'cosine', 'alpha': 0.03}" in code
    assert "{'hidden_units': 16}" in code
    assert "EPOCHS, SEED = 2, 7" in code


def test_it_says_what_the_trial_reached():
    def first_line(**given):
        return program("sgd", {"schedule": "constant"}, **given).splitlines()[0]

    assert first_line() == '"""Trial 3 of study study: val_loss 0.5.'
    assert first_line(state="fail", value=None) == '"""Trial 3 of study study: fail.'
    goals = [{"metric": name, "direction": "minimize"} for name in ("val_loss", "size")]
    both = first_line(goals=goals, value=None, values=[0.5, 10.0])
    assert both == '"""Trial 3 of study study: val_loss 0.5, size 10.0.'


@pytest.mark.tensorflow
def test_a_task_of_ones_own_is_found_in_the_module_that_is_named(tmp_path):
    source = Path(digits.__file__).read_text().replace("digits_mlp", "mine")
    (tmp_path / "my_tasks.py").write_text(source)
    code = program("sgd", {"schedule": "constant"}).replace("digits_mlp", "mine")

    def run(*modules):
        command = [sys.executable, "-c", code, *modules]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)

    refused = run()
    assert refused.returncode == 1
    said = "name the module that has the task mine: python FILE my_package.my_tasks"
    assert refused.stderr.splitlines()[-1] == said
    assert "val_loss: " in run("my_tasks").stdout
