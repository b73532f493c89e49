"""What the documents say is true: examples are valid, every setting is there."""

import importlib
import inspect
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from lehr.cli.serve import serve
from lehr.cli.work import work
from lehr.definitions import load_definition
from lehr.schedules import SCHEDULES
from lehr.wire.search import PRUNERS, SAMPLERS
from lehr.wire.studies import StudyDefinition
from lehr_service.app import create_app
from lehr_service.settings import Settings

PROJECT = Path(__file__).parents[1]
README = (PROJECT / "README.md").read_text()
STUDIES = [
    PROJECT / "deploy" / "quickstart.yaml",
    *sorted((PROJECT / "service" / "lehr" / "examples").glob("*.yaml")),
]


def test_the_readmes_study_is_valid(tmp_path):
    example = re.search(r"```yaml\n(.*?)```", README, re.DOTALL)[1]
    (tmp_path / "study.yaml").write_text(example)
    definition = StudyDefinition.model_validate(load_definition(str(tmp_path / "study.yaml")))
    assert definition.limits.timeout == 7200
    assert definition.search_space["optimizer"]["adam"]["learning_rate"]["low"] == 1e-5


def test_the_readmes_own_task_can_be_searched_as_its_study_says(tmp_path, monkeypatch):
    code = re.search(r"```python\n# my_package/my_tasks.py\n(.*?)```", README, re.DOTALL)[1]
    example = re.search(r"```yaml\n# my_study.yaml\n(.*?)```", README, re.DOTALL)[1]
    (tmp_path / "readmes_tasks.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    task = importlib.import_module("readmes_tasks").my_task
    (tmp_path / "my_study.yaml").write_text(example)
    definition = StudyDefinition.model_validate(load_definition(str(tmp_path / "my_study.yaml")))
    assert definition.task == task.name
    assert set(definition.search_space["parameters"]) <= set(task.schema()["properties"])


def test_the_quickstarts_study_is_wide_enough():
    raw = yaml.safe_load((PROJECT / "deploy" / "quickstart.yaml").read_text())
    definition = StudyDefinition.model_validate(raw)
    assert len(definition.space.optimizer) >= 4
    assert len(definition.space.schedule) >= 5
    assert definition.limits.max_trials >= 24
    assert definition.pruner["name"] != "none"


@pytest.mark.parametrize("name", [f"LEHR_{name.upper()}" for name in Settings.model_fields])
def test_every_setting_is_documented(name):
    assert name in README


@pytest.mark.parametrize("side", ["service", "worker"])
def test_every_setting_is_in_the_readme_of_its_side(side):
    commands = {"service": serve, "worker": work}
    options = inspect.signature(commands[side], eval_str=True).parameters.values()
    variables = [o.envvar for p in options for o in getattr(p.annotation, "__metadata__", ())]
    text = (PROJECT / side / "README.md").read_text()
    named = [name for name in variables if name]
    assert len(named) >= 6
    assert [name for name in named if name not in text] == []


def test_every_endpoint_says_what_it_does_and_what_it_answers():
    document = create_app(Settings()).openapi()
    for path, calls in document["paths"].items():
        for method, call in calls.items():
            assert call.get("description"), f"{method} {path}"
            answers = [status for status in call["responses"] if status.startswith("2")]
            assert answers, f"{method} {path}"
    for name in ("StudyDefinition", "NewReports", "Registration", "Claim", "Enqueued"):
        assert document["components"]["schemas"][name].get("examples"), name


@pytest.mark.parametrize("name", [*SCHEDULES, *SAMPLERS, *PRUNERS])
def test_every_schedule_sampler_and_pruner_is_named(name):
    assert re.search(rf"\b{name}\b", README)


SCRIPTS = ["quickstart", "systemd/install", "slurm/autoscale", "slurm/fleet.sbatch"]
SCRIPTS = [f"deploy/{name}" for name in [*SCRIPTS, "containers/prepare"]]


@pytest.mark.parametrize("name", [*SCRIPTS, "tests/run", ".ci/run"])
def test_scripts_can_be_run(name):
    assert (PROJECT / name).stat().st_mode & 0o111


def test_the_lock_has_every_dependency():
    lines = (PROJECT / "requirements.lock").read_text().splitlines()
    locked = {line.split("==")[0] for line in lines if "==" in line}
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"]]
    for extra, dependencies in project["optional-dependencies"].items():
        wanted += dependencies if extra not in ("all", "bench") else []
    names = {re.split(r"[\[><=]", dependency)[0].lower() for dependency in wanted}
    assert names <= locked


def test_every_promise_has_tests_that_exist():
    text = (PROJECT / "service" / "README.md").read_text()
    section = text.partition("## Promises and their tests")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\d)\. .*$", section, re.MULTILINE)
    assert rows == [str(number) for number in range(1, 9)]
    for row in re.findall(r"^\| \d\. .*$", section, re.MULTILINE):
        named = re.findall(r"`(\S+\.py)::(test_\w+)`", row)
        assert named, row
        for file, test in named:
            source = (PROJECT / "tests" / file).read_text()
            assert re.search(rf"^def {test}\(", source, re.MULTILINE), f"{file}::{test}"


@pytest.mark.parametrize("file", STUDIES, ids=lambda file: file.stem)
def test_every_example_compares_decay_with_none(file):
    schedules = yaml.safe_load(file.read_text())["search_space"]["schedule"]
    assert "constant" in schedules
    assert len(schedules) > 1
