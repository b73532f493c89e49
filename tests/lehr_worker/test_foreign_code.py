"""Nothing that comes over the network becomes code: names are looked up, bytes are only data."""

from __future__ import annotations

import ast
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.lehr_worker.fake_server import FakeServer
from tests.lehr_worker.working import Work

from lehr.definitions import DefinitionUnreadable, read_value
from lehr_worker.training.checkpoints import MARK, BadCheckpoint, unpack

PROJECT = Path(__file__).parents[2]
SOURCES = sorted(f for side in ("service", "worker") for f in (PROJECT / side).rglob("*.py"))

MAKE_CODE = {"eval", "exec", "compile", "__import__"}
"""Built-in functions that make code of text."""

LOAD_CODE = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "runpy"}
"""Modules whose files are programs."""

KERAS_LOADS = {"load_model", "deserialize", "deserialize_keras_object", "model_from_json"}
"""Functions of Keras that import what a text names."""

IMPORTS_BY_NAME = {
    "service/lehr/__init__.py": "its own modules",
    "worker/lehr_worker/tasks/registry.py": "modules that whoever starts the worker names",
    "worker/lehr_worker/trainer.py": "the engine that whoever starts the worker names",
}
"""The only files that import a module by a name in a variable, and which."""


def called(tree: ast.AST) -> Iterator[tuple[str, bool]]:
    """Names of what is called, and whether it is a plain name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            match node.func:
                case ast.Name(name):
                    yield name, True
                case ast.Attribute(attr=name):
                    yield name, False


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def offences(file: Path) -> Iterator[str]:
    tree = ast.parse(file.read_text())
    calls = set(called(tree))
    yield from {name for name, is_plain in calls if is_plain} & MAKE_CODE
    yield from {name for name, _ in calls} & KERAS_LOADS
    yield from set(imported(tree)) & LOAD_CODE
    place = str(file.relative_to(PROJECT))
    if ("import_module" in {name for name, _ in calls}) != (place in IMPORTS_BY_NAME):
        yield "import_module"


def test_no_source_makes_code_of_data() -> None:
    assert len(SOURCES) > 100
    found = {str(f.relative_to(PROJECT)): list(offences(f)) for f in SOURCES}
    assert {file: names for file, names in found.items() if names} == {}


def test_yaml_makes_values_only() -> None:
    with pytest.raises(DefinitionUnreadable):
        read_value("!!python/object/apply:os.getcwd []")
    assert yaml.unsafe_load("!!python/object/apply:os.getcwd []") == str(Path.cwd())


MODULE = """
from pathlib import Path

Path({trace!r}).touch()
evil = "imported"
"""


class Program:
    """Touches a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return Path.touch, (self.file,)


def test_tasks_are_names_and_no_code_is_found_by_them(
    server: FakeServer, work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = tmp_path / "it ran"
    (tmp_path / "evil.py").write_text(MODULE.format(trace=str(trace)))
    worker_path = os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])
    monkeypatch.setenv("PYTHONPATH", worker_path)
    subprocess.run([sys.executable, "-c", "import evil"], check=True)
    assert trace.exists(), "a trainer that imports it leaves a trace"
    trace.unlink()

    work()
    for token, task in {"a": "evil", "b": "evil:evil", "c": "evil.evil", "d": "os.system"}.items():
        server.offer(token, task=task)
        (failed,) = server.wait_for(lambda t=token: server.of("fail", t), seconds=120)
        assert f"no {task} here; this worker has light" in failed.body["message"]
    assert not trace.exists()


def test_a_checkpoint_that_is_a_program_is_only_damaged(tmp_path: Path) -> None:
    trace = tmp_path / "it ran"
    program = pickle.dumps(Program(trace))
    pickle.loads(program)
    assert trace.exists(), "who unpickles it runs it"
    trace.unlink()
    for state in (program, MARK + program):
        with pytest.raises(BadCheckpoint):
            unpack(state)
    assert not trace.exists()
