"""How often: requests of a token or an address, and tokens that an address guesses."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from lehr_service.domain.tokens import digest

BURST_SECONDS = 2.0
"""A sender that was quiet may send what it is entitled to in so long at once."""
GUESSES = 10
GUESS_SECONDS = 6.0
"""An address may give ten wrong tokens, and one more after each six seconds."""
_MOST_KEYS = 10_000
_REMEMBERED = 2 * GUESSES


class Rates:
    """A token bucket for each key; those used longest ago are forgotten, that is, full again."""

    def __init__(
        self, per_second: float, burst: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second, self._burst, self._now = per_second, max(1.0, burst), now
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # how many, and when

    def take(self, key: str) -> float:
        """Take one; 0.0, or the seconds until there is one again."""
        left = self._now_left(key)
        if left < 1.0:
            return (1.0 - left) / self._per_second
        self._left[key] = left - 1.0, self._now()
        self._left.move_to_end(key)
        if len(self._left) > _MOST_KEYS:
            self._left.popitem(last=False)
        return 0.0

    def wait(self, key: str) -> float:
        """The seconds until there is one; takes none."""
        return max(0.0, (1.0 - self._now_left(key)) / self._per_second)

    def _now_left(self, key: str) -> float:
        left, when = self._left.get(key, (self._burst, 0.0))
        return min(self._burst, left + (self._now() - when) * self._per_second)


class Guesses:
    """Wrong tokens of each address: who gives too many different ones must wait to give another.

    The same wrong token again is no guess: it is a worker that was set up wrongly, and must not
    lock out others of its address.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._rates = Rates(1 / GUESS_SECONDS, GUESSES, now)
        self._known: OrderedDict[str, OrderedDict[str, None]] = OrderedDict()

    def wait(self, address: str, given: str) -> float:
        """0.0, or the seconds until this address may give this token; before it is looked at."""
        known = self._known.get(address)
        if known is None or digest(given) in known:
            return 0.0
        return self._rates.wait(address)

    def note(self, address: str, given: str) -> None:
        """The token was wrong."""
        known = self._known.setdefault(address, OrderedDict())
        mark = digest(given)
        if mark not in known:
            self._rates.take(address)
        known[mark] = None
        known.move_to_end(mark)
        if len(known) > _REMEMBERED:
            known.popitem(last=False)
        self._known.move_to_end(address)
        if len(self._known) > _MOST_KEYS:
            self._known.popitem(last=False)


def address_of(client: tuple[str, int] | None) -> str:
    """Who is counted as one: an IPv4 address, or the network of an IPv6 address (/64)."""
    return _network(client[0] if client else "")


@lru_cache(maxsize=_MOST_KEYS)
def _network(host: str) -> str:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return f"{IPv6Address(int(address) >> 64 << 64)}/64"
    return host
