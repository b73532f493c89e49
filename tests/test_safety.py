"""Nothing that runs code from data, and no path from a name: looked for, and tried."""

import ast
from http.client import HTTPConnection
from itertools import product
from pathlib import Path

import pytest

from lehr.client.calls import path_of
from lehr.definitions import DefinitionUnreadable, load_definition, read_definition
from lehr.errors import LehrError
from lehr.wire.studies import StudyDefinition
from lehr_worker.files import open_files

PROJECT = Path(__file__).parents[1]
SOURCES = sorted(
    file for folder in ("service", "worker", "deploy") for file in (PROJECT / folder).rglob("*.py")
)
MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
MODULES |= {"jsonpickle", "code", "codeop", "imp", "runpy"}
CALLS = {"eval", "exec", "compile", "__import__", "input"}
YAML = {"load", "load_all", "full_load", "full_load_all", "unsafe_load", "unsafe_load_all"}
YAML |= {"Loader", "FullLoader", "UnsafeLoader", "add_constructor"}
ATTRIBUTES = {("os", "system"), ("os", "popen"), ("subprocess", "getoutput")}


def found_in(source, is_definitions=False):
    """What a source has of the above, each with its line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names]
            roots = names if isinstance(node, ast.Import) else [node.module or ""]
            found += [(node.lineno, n) for n in roots if n.partition(".")[0] in MODULES]
            if isinstance(node, ast.ImportFrom) and node.module == "yaml":
                found += [(node.lineno, name) for name in names if name in YAML]
        if isinstance(node, ast.Call):
            found += [(node.lineno, what) for what in call_of(node, is_definitions)]
    return found


def call_of(node, is_definitions):
    function = node.func
    if isinstance(function, ast.Name) and function.id in CALLS:
        yield function.id
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        where = function.value.id
        if where == "yaml" and function.attr in YAML:
            loader = [k.value for k in node.keywords if k.arg == "Loader"]
            safe = is_definitions and [ast.unparse(each) for each in loader] == ["_Loader"]
            if not safe:
                yield f"yaml.{function.attr}"
        if (where, function.attr) in ATTRIBUTES:
            yield f"{where}.{function.attr}"
    for keyword in node.keywords:
        is_true = isinstance(keyword.value, ast.Constant) and keyword.value.value is True
        if keyword.arg in ("allow_pickle", "shell") and is_true:
            yield f"{keyword.arg}=True"


@pytest.mark.parametrize(
    "wrong",
    [
        "import pickle", "from pickle import loads", "import joblib.numpy_pickle", "import shelve",
        "eval('1')", "exec(x)", "__import__('os')", "compile(x, '', 'exec')",
        "import yaml\nyaml.load(x)", "yaml.load(x, Loader=yaml.Loader)", "yaml.unsafe_load(x)",
        "from yaml import full_load", "np.load(x, allow_pickle=True)", "os.system('x')",
        "subprocess.run(x, shell=True)",
    ],
)  # fmt: skip
def test_the_search_finds_what_it_looks_for(wrong):
    assert found_in(wrong)


def test_no_source_runs_code_from_data():
    assert len(SOURCES) > 150
    found = {}
    for file in SOURCES:
        is_definitions = file.name == "definitions.py" and file.parent.name == "lehr"
        wrong = found_in(file.read_text(), is_definitions)
        if wrong:
            found[str(file.relative_to(PROJECT))] = wrong
    assert found == {}


TAGS = [
    "!!python/object/apply:os.system ['touch {}']",
    "!!python/object/new:os.system ['touch {}']",
    "!!python/name:os.system",
    "!!python/module:os",
    "!!python/object:builtins.object {{}}",
    "!custom thing",
    "!!binary aGk=",
    "!!set {{a, b}}",
]


@pytest.mark.parametrize("tag", TAGS)
def test_a_tag_that_makes_an_object_is_refused_with_its_line(tag, tmp_path):
    mark, file = tmp_path / "mark", tmp_path / "study.yaml"
    file.write_text(f"name: study\ntask: {tag.format(mark)}\n")
    with pytest.raises(DefinitionUnreadable, match=r"study.yaml:2: the tag '.+' is not allowed"):
        load_definition(str(file))
    assert not mark.exists()


def test_aliases_do_not_multiply():
    """A few lines must not become gigabytes."""
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        bomb += f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    with pytest.raises(DefinitionUnreadable):
        read_definition(bomb, "bomb")


# Names and paths

NAMES = ["..", ".", "../x", "..%2fx", "%2e%2e", "%2e%2e%2fx", "/etc/passwd", "a/b", "a\\b", "..\\x"]
NAMES += ["\x00", "a\x00b", "a%00b", "~", "", "a\n", "A", "é", "CON:", "x" * 101, "a b"]


@pytest.mark.parametrize("name", NAMES)
def test_no_study_has_a_name_that_is_a_path(name):
    known = {"task": "t", "objective": {"metric": "m", "direction": "minimize"}}
    known["search_space"] = {"optimizer": {"sgd": {"learning_rate": 0.1}}}
    known["training"] = {"epochs": 1}
    StudyDefinition.model_validate({"name": "fine", **known})
    with pytest.raises(ValueError, match="name"):
        StudyDefinition.model_validate({"name": name, **known})


def test_no_address_leads_to_a_file(serve, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "secret.txt").write_text("the secret")
    server = serve()
    names = [
        "..", "%2e%2e", "..%2fsecret.txt", "%2e%2e%2fsecret.txt", "..%5csecret.txt", "%00",
        "secret.txt%00", "%2fetc%2fpasswd", "..%2f..%2fsettings.py", "app.js%2f..%2f..%2fpages.py",
        "app.js%00",
        "....%2f%2fsecret.txt", "%252e%252e%252fsecret.txt", "%c0%ae%c0%ae%2fsecret.txt",
    ]  # fmt: skip
    paths = [
        "/static/{}",
        "/v1/studies/{}",
        "/v1/studies/{}/export",
        "/studies/{}",
        "/{}",
        "/new/{}",
    ]
    paths += ["/v1/studies/{}/trials/0", "/v1/attempts/{}/checkpoint", "/v1/studies/a/plots/{}"]
    paths.append("/new?example={}")
    http = HTTPConnection(server.url.removeprefix("http://"), timeout=30)
    for name, path in product(names, paths):
        http.request("GET", path.format(name))  # as it is: other clients take dots out
        answer = http.getresponse()
        text = answer.read().decode()
        assert answer.status in (404, 405, 422), (path, name)
        assert "the secret" not in text
        assert "from __future__" not in text
    http.close()


def test_an_exports_file_name_is_the_studys(serve, tmp_path):
    http = serve().http
    definition = {
        "name": "a..b-c_d",
        "task": "t",
        "objective": {"metric": "m", "direction": "minimize"},
        "search_space": {"optimizer": {"sgd": {"learning_rate": 0.1}}},
        "training": {"epochs": 1},
    }
    assert http.post("/v1/studies", json=definition).status_code == 201
    for form, ending in (("csv", "csv"), ("json", "json"), ("optuna", "db")):
        answer = http.get(f"/v1/studies/a..b-c_d/export?format={form}")
        named = f'attachment; filename="a..b-c_d.{ending}"'
        assert answer.headers["content-disposition"] == named
    assert http.get("/v1/studies/a..b-c_d/export?format=../x").status_code == 422


@pytest.mark.parametrize("segment", ["", ".", ".."])
def test_the_client_asks_for_no_such_path(segment):
    with pytest.raises(LehrError, match="not a name"):
        path_of("studies", segment)


@pytest.mark.parametrize("name", ["../x", "a/b", "/x", "%2e%2e"])
def test_the_client_keeps_a_name_in_its_place(name):
    assert path_of("studies", name).count("/") == 3


@pytest.mark.parametrize("name", ["..", "../out", "a/../../out", "/out", "a\x00b", "."])
def test_a_place_of_checkpoints_keeps_to_its_folder(name, tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    files = open_files(str(inside))
    with pytest.raises(ValueError, match="not a name"):
        files.write(name, "00000001", b"x")
    with pytest.raises(ValueError, match="not a name"):
        files.read("trial", name)
    with pytest.raises(ValueError, match="not a name"):
        files.remove(name)
    assert [path.name for path in tmp_path.iterdir()] == ["inside"]
