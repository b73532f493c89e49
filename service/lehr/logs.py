"""Log records as text or JSON, each with what it is about: request, study, trial, attempt.

A record gets what ``begin``, ``know`` and ``about`` have said where it is written, and whatever its
logger was given as ``extra``.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections import ChainMap
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal

LogFormat = Literal["text", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]

_FACTS: ContextVar[MutableMapping[str, Any]] = ContextVar("lehr_log_facts")
_NONE: MutableMapping[str, Any] = {}
_USUAL = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "color_message"}
_PLAIN = re.compile(r"[^\s\"=\x00-\x1f]+")
_QUIETED = ("httpx", "httpcore", "alembic")  # they tell of each request, or of each start


@contextmanager
def about(**facts: Any) -> Iterator[None]:
    """Records that are written in the block are about these things too."""
    token = _FACTS.set(ChainMap(facts, _FACTS.get(_NONE)))
    try:
        yield
    finally:
        _FACTS.reset(token)


def begin(facts: Mapping[str, Any]) -> None:
    """Records of this context are about these things only, looked up when one is written."""
    _FACTS.set(ChainMap({}, facts))  # type: ignore[arg-type]  # the last of a chain is only read


def know(**facts: Any) -> None:
    """From here on, records of this context are about these things too."""
    _FACTS.set(ChainMap(facts, _FACTS.get(_NONE)))


def configure(form: LogFormat, level: LogLevel = "info", device: str = "") -> None:
    """Write the records of this process to standard error; ``device``: whose process it is."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Json(device) if form == "json" else Text(device))
    logging.basicConfig(handlers=[handler], level=level.upper())
    for name in _QUIETED:
        logging.getLogger(name).setLevel(logging.WARNING)


def level_name(log: logging.Logger) -> str:
    """The level that a logger has, as ``configure`` takes it."""
    return logging.getLevelName(log.getEffectiveLevel()).lower()


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    given = {name: value for name, value in vars(record).items() if name not in _USUAL}
    return {**_FACTS.get(_NONE), **given}


def _moment(record: logging.LogRecord) -> str:
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{seconds}.{record.msecs:03.0f}Z"


class Json(logging.Formatter):
    """One JSON object a line: time, level, logger, message, what it is about, exception."""

    def __init__(self, device: str = "") -> None:
        super().__init__()
        self._device = device or None

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _moment(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        facts = {"device": self._device, **_facts(record)}
        line |= {name: fact for name, fact in facts.items() if fact is not None}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class Text(logging.Formatter):
    """For people: one line a record; what follows it is indented, so no text passes for another."""

    def __init__(self, device: str = "") -> None:
        super().__init__()
        self._prefix = f"{device}: " if device else ""

    def format(self, record: logging.LogRecord) -> str:
        facts = "".join(f" {n}={_word(v)}" for n, v in _facts(record).items() if v is not None)
        line = f"{_moment(record)} {record.levelname} {self._prefix}{record.getMessage()}{facts}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line.replace("\r", "\\r").replace("\n", "\n    ")


def _word(value: Any) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)
