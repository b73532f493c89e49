"""Study definitions to start from."""

from __future__ import annotations

from importlib.resources import files

from lehr.errors import LehrError
from lehr.wire.base import one_of


def names() -> list[str]:
    """The names of the examples, the shortest first."""
    here = files(__package__).iterdir()
    found = [file for file in here if file.name.endswith(".yaml")]
    ordered = sorted(found, key=lambda file: (len(file.read_text("utf-8")), file.name))
    return [file.name.removesuffix(".yaml") for file in ordered]


def text(name: str) -> str:
    """An example as YAML with comments. Raises LehrError for a name that none has."""
    if name not in names():
        raise LehrError(f"there is no example {name!r}; take {one_of(names())}")
    return files(__package__).joinpath(f"{name}.yaml").read_text("utf-8")
