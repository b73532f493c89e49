"""What all calls share: the connection, its defaults, and how answers are paged."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel

from lehr.client.connection import Connection, M, Request
from lehr.credentials import token_of_environment
from lehr.errors import LehrError
from lehr.wire.studies import StudyPage
from lehr.wire.tokens import TokenPage
from lehr.wire.trials import TrialPage
from lehr.wire.workers import WorkerPage

DEFAULT_SERVER = "http://127.0.0.1:8642"

P = TypeVar("P", StudyPage, TrialPage, WorkerPage, TokenPage)


class Calls:
    """A connection to one server, and the defaults for it; see ``Client``."""

    def __init__(
        self,
        server: str | None = None,
        token: str | None = None,
        *,
        timeout: float = 30.0,
        retry_seconds: float = 60.0,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], object] = time.sleep,
        now: Callable[[], float] = time.monotonic,
        ca_file: str | None = None,
    ) -> None:
        self._now = now
        self._connection = Connection(
            server or os.environ.get("LEHR_SERVER") or DEFAULT_SERVER,
            token or token_of_environment(),
            timeout,
            retry_seconds,
            transport,
            sleep,
            now,
            ca_file or os.environ.get("LEHR_CA_FILE"),
        )

    @property
    def server(self) -> str:
        """The server's URL."""
        return self._connection.server

    def ready(self) -> None:
        """Raises Unavailable unless the server's database answers, with its version's schema."""
        self._connection.send(Request("GET", "/readyz"))

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _get(self, path: str, answer: type[M]) -> M:
        return self._connection.ask(Request("GET", path, repeatable=True), answer)

    def _post(
        self,
        path: str,
        body: BaseModel | Mapping[str, Any] | None,
        answer: type[M],
        *,
        query: Mapping[str, Any] | None = None,
        repeatable: bool = False,
    ) -> M:
        request = Request("POST", path, query, plain(body), repeatable=repeatable)
        return self._connection.ask(request, answer)

    def _pages(self, path: str, query: Mapping[str, Any], page: type[P]) -> Iterator[P]:
        after: str | None = None
        while True:
            request = Request("GET", path, {**query, "after": after}, repeatable=True)
            answer = self._connection.ask(request, page)
            yield answer
            after = answer.next
            if after is None:
                return


def path_of(*segments: str | int) -> str:
    """The path below ``/v1``; raises LehrError for what no path can name."""
    for segment in segments:
        if segment in ("", ".", ".."):
            raise LehrError(f"{segment!r} is not a name")
    return "/v1/" + "/".join(quote(str(segment), safe="") for segment in segments)


def plain(body: BaseModel | Mapping[str, Any] | None) -> Any:
    """A body for JSON; of a model, only what its maker gave it."""
    if isinstance(body, BaseModel):
        return body.model_dump(mode="json", exclude_unset=True)
    return None if body is None else dict(body)
