"""Who sends a request: tokens, as this server knows them, and whose worker is whose."""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from sqlalchemy import Connection
from starlette.types import Scope

from lehr.wire.tokens import Role
from lehr_service.api.rates import Guesses
from lehr_service.domain.tokens import Token, id_of
from lehr_service.errors import OthersWorker, TooManyRequests, Unauthorized, Unavailable
from lehr_service.settings import Settings
from lehr_service.storage import tokens
from lehr_service.storage.faults import because, told
from lehr_service.storage.session import Database

T = TypeVar("T")

log = logging.getLogger(__name__)

FRESH_SECONDS = 1.0
"""For so long what was read of the tokens is used, and for as long again while it is read anew."""
_NOTED_SECONDS = 60.0  # from one note of a token's last use to the next
_MOST_OWNERS = 100_000
_LONGEST_KEY = 64

WHO = "lehr.who"  # in the scope: who was identified


@dataclass(frozen=True)
class Principal:
    """Who sends a request, and with what role."""

    name: str
    role: Role
    token_id: str | None = None  # None: no token of the database


LOOPBACK: Final = Principal("loopback", Role.ADMIN)
"""Somebody on this machine, while there are no tokens."""
INSECURE: Final = Principal("anybody", Role.ADMIN)
ENVIRONMENT: Final = Principal("LEHR_TOKEN", Role.ADMIN)


def sender_of(scope: Scope) -> Principal | None:
    found: Principal | None = scope.get(WHO)
    return found


def who_sent(scope: Scope) -> Principal:
    """Raises Unauthorized where nobody was identified."""
    found = sender_of(scope)
    if found is None:
        raise Unauthorized
    return found


async def _read(database: Database, query: Callable[[Connection], T]) -> T:
    """In a thread that nobody's long reads are waiting for. Raises Unavailable."""

    def run() -> T:
        with database.read() as connection:
            return query(connection)

    try:
        return await asyncio.to_thread(run)
    except Exception as error:  # who sends is not known, so nothing else may be answered
        log.warning("tokens cannot be read: %s", told(error))
        says = f"the database does not answer at the moment{because(error)}"
        raise Unavailable(says) from error


class Keyring:
    """The tokens of the database, read again when older than a second: no query for a request.

    So a token that is revoked on one server is refused by all after two seconds at the latest.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        clock: Callable[[], float],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._database = settings, database
        self._clock, self._now = clock, now
        self._known: Mapping[str, Token] = {}
        self._read_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        self._used: dict[str, float] = {}
        self._guesses = Guesses(now)
        self._nobody = LOOPBACK if settings.is_loopback else INSECURE if settings.insecure else None

    async def identify(self, given: str, address: str) -> Principal | None:
        """Whose token this is; None if it is nobody's, or none is given where one is needed.

        An address that has guessed too often is not told whether it guessed a token that a person
        chose (``LEHR_TOKEN``); those of the database are as good as impossible to guess.
        Raises Unauthorized for a token that was valid once, TooManyRequests, Unavailable.
        """
        wait = self._guesses.wait(address, given)
        if not wait and self._is_environments(given):
            return ENVIRONMENT
        known = await self._tokens()
        if not known and self._settings.token is None:
            return self._nobody
        token = await self._find(given, look=not wait)
        if token is not None and token.fits(given):
            return self._principal(token)
        if given and wait:
            raise TooManyRequests("too many wrong tokens from this address", wait)
        if given:
            self._guesses.note(address, given)
        return None

    def remember(self, given: str) -> Principal | None:
        """Where ``identify`` could not read: by the tokens of the database as they were last read.

        For what is answered while the database is gone, and says nothing that is in it.
        """
        if not self._known and self._settings.token is None:
            return self._nobody
        token = self._known.get(id_of(given) or "")
        fits = token is not None and token.fits(given) and token.is_valid(self._clock())
        return Principal(token.name, token.role, token.id) if token and fits else None

    def _is_environments(self, given: str) -> bool:
        wanted = self._settings.token
        return wanted is not None and hmac.compare_digest(given.encode(), wanted.encode())

    def _principal(self, token: Token) -> Principal:
        now = self._clock()
        if not token.is_valid(now):
            what = "has expired" if token.revoked_at is None else "was revoked"
            raise Unauthorized(f"the token {token.name!r} {what}; ask an admin for a new one")
        self._used[token.id] = now
        return Principal(token.name, token.role, token.id)

    async def is_open(self) -> bool:
        """Whether no token is needed, for there are none."""
        return not await self._tokens() and self._settings.token is None

    async def is_valid(self, who: Principal) -> bool:
        """Whether somebody who was identified before still would be."""
        known = await self._tokens()
        if who.token_id is None:
            return who is ENVIRONMENT or not known
        return who.token_id in known and known[who.token_id].is_valid(self._clock())

    async def look_again(self) -> None:
        """Read the tokens as they are now or later, not as they were. Raises Unavailable."""
        if self._reading is not None:
            await asyncio.wait([self._reading])
        await self._look()

    def take_uses(self) -> dict[str, float]:
        """When tokens were last used, of those whose last use was not noted for a minute."""
        due = {
            token_id: moment
            for token_id, moment in self._used.items()
            if token_id in self._known
            and moment - (self._known[token_id].last_used_at or 0.0) >= _NOTED_SECONDS
        }
        self._used.clear()
        return due

    async def _find(self, given: str, look: bool) -> Token | None:
        token_id = id_of(given)
        if token_id is None:
            return None
        known = await self._tokens()
        if token_id not in known and look:  # another server may have made it a moment ago
            await self.look_again()
        return self._known.get(token_id)

    async def _tokens(self) -> Mapping[str, Token]:
        age = self._now() - self._read_at
        if age >= 2 * FRESH_SECONDS:
            await self._look()
        elif age >= FRESH_SECONDS and self._reading is None:
            self._start()
        return self._known

    async def _look(self) -> None:
        """Read the tokens, once for all who ask meanwhile. Raises Unavailable."""
        await asyncio.shield(self._reading or self._start())

    def _start(self) -> asyncio.Task[None]:
        self._reading = asyncio.create_task(self._update())
        self._reading.add_done_callback(self._ended)
        return self._reading

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._reading = None
        if not task.cancelled():
            task.exception()  # who waited has heard it, and it is logged

    async def _update(self) -> None:
        begun = self._now()
        self._known = {token.id: token for token in await _read(self._database, tokens.every)}
        self._read_at = max(self._read_at, begun)


class Owners:
    """Which token registered a worker, and so may act for it; that never changes, so it is kept."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: OrderedDict[str, str | None] = OrderedDict()

    def note(self, key: str, who: Principal) -> None:
        """A worker, or an attempt, that came to be by this request."""
        self._keep(key, who.token_id)

    async def check(self, who: Principal, params: Mapping[str, str]) -> None:
        """Raises OthersWorker unless the worker, or attempt, in a path is the sender's.

        Who is there no more, or never was, passes: the endpoint says so.
        """
        if who.role is not Role.WORKER:
            return
        for name, query in (("worker_id", tokens.of_worker), ("token", tokens.of_attempt)):
            key = params.get(name)
            if key is not None and not await self._is_of(who, key, query):
                raise OthersWorker

    async def _is_of(
        self,
        who: Principal,
        key: str,
        query: Callable[[Connection, str], tuple[str | None] | None],
    ) -> bool:
        if key not in self._kept:
            if len(key) > _LONGEST_KEY or not key.replace("-", "").isalnum():  # it is nobody's
                return True
            found = await _read(self._database, lambda c: query(c, key))
            if found is None:
                return True
            self._keep(key, found[0])
        return self._kept[key] == who.token_id

    def _keep(self, key: str, token_id: str | None) -> None:
        self._kept[key] = token_id
        if len(self._kept) > _MOST_OWNERS:
            self._kept.popitem(last=False)
