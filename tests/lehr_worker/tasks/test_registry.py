"""Loading the user's own modules of tasks, and what is said of broken ones."""

import textwrap

import pytest

from lehr_worker.tasks.registry import TaskError, load

TASK = """
    from lehr_worker import task

    @task(loss="mse"{options})
    def {name}(units: int = 3): ...
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module and returns its name; the folder is where the worker was started."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*__import__("sys").path])

    def write(name, text):
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
        return name

    return write


def test_tasks_of_own_modules_join_the_built_in_ones(module):
    name = module("own_tasks", TASK.format(name="own", options=""))
    tasks = load([name])
    assert {"own", "digits_mlp"} <= set(tasks)
    assert tasks["own"].module == "own_tasks"


def test_an_imported_built_in_task_is_no_second_one(module):
    text = TASK.format(name="other", options="") + "\n    from lehr_worker.tasks.digits import *\n"
    assert "other" in load([module("importing_tasks", text)])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("no_such_module", None, "no module named no_such_module; give its import path"),
        ("no_such.module", None, "no module named no_such.module"),
        ("needs_more", "import no_such_library", "importing needs_more failed: No module named"),
        ("broken", "def", "importing broken failed: SyntaxError"),
        ("empty", "", "empty holds no task; decorate a function with @task"),
        (
            "twice",
            TASK.format(name="mine", options=', name="digits_mlp"'),
            "two tasks are named digits_mlp: in lehr_worker.tasks.digits and in twice",
        ),
    ],
)
def test_a_module_that_cannot_be_used_says_why(name, text, message, module):
    if text is not None:
        module(name, text)
    with pytest.raises(TaskError, match=message):
        load([name])
