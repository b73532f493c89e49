"""Which faults happen: an endless sequence that follows from a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

_LASTS = {  # seconds; the lease is 4
    "kill_server": (0, 0),
    "end_server": (0, 0),
    "freeze_server": (1, 6),
    "kill_sampler": (0, 0),
    "freeze_sampler": (1, 6),
    "drop_connections": (0, 0),
    "delay_connections": (2, 5),
    "cut_answers": (2, 5),
    "refuse_connections": (1, 5),
    "kill_workers": (0, 0),
    "freeze_workers": (5, 7),
    "jump_clock": (0, 0),
    "step_clock_back": (0, 0),
    "fill_disk": (1, 4),
}
_LASTS_ON_POSTGRES = _LASTS | {"restart_postgres": (0, 0), "crash_postgres": (0, 0)}
_SHARE_AT_ONCE = 0.25  # of the faults: together with the one before


@dataclass(frozen=True)
class Fault:
    """One fault: whom it hits, how long it lasts and how bad it is."""

    kind: str
    target: int
    seconds: float
    amount: float  # from 0 to 1
    at_once: bool  # or only when the service has recovered from the one before

    def __str__(self) -> str:
        lasting = f" for {self.seconds:.1f} s" if self.seconds else ""
        return f"{'and ' if self.at_once else ''}{self.kind} {self.target}{lasting}"


def kinds(database: str) -> dict[str, tuple[int, int]]:
    """The kinds of faults on this database, with the seconds they last."""
    return _LASTS_ON_POSTGRES if database == "postgres" else _LASTS


def faults(seed: int, database: str) -> Iterator[Fault]:
    """Each kind comes once before any comes again."""
    draw = random.Random(seed)
    known = kinds(database)
    while True:
        deck = list(known)
        draw.shuffle(deck)
        for kind in deck:
            yield Fault(
                kind,
                draw.randrange(64),
                draw.uniform(*known[kind]),
                draw.random(),
                draw.random() < _SHARE_AT_ONCE,
            )
