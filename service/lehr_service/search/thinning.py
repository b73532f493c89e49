"""A part of a long history from which TPE estimates almost as from all of it."""

from __future__ import annotations

from collections.abc import Sequence

from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

DEFAULT_HISTORY = 300  # finished trials that are kept
_BEST = 60  # TPE's good set has 25 at most
_LATEST = 60
_GROWTH = 32  # finished trials that are added before the part is chosen anew
_RUNNING = 100  # running trials that are shown
_TOLD = (TrialState.COMPLETE, TrialState.PRUNED)


def few(running: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Of running trials the latest, which know most of what is known now, and every n-th other.

    TPE keeps away from what runs; where hundreds run, a sample tells it as well where that is.
    """
    if len(running) <= _RUNNING:
        return list(running)
    half = _RUNNING // 2
    others = running[:-half]
    return [*(others[i * len(others) // half] for i in range(half)), *running[-half:]]


class Thinned:
    """The best, the latest, and every n-th of the other finished trials, ``size`` in all.

    TPE compares a density of the good trials, of which there are at most 25, to one of all others,
    which a sample describes as well.
    """

    def __init__(self, size: int, direction: StudyDirection) -> None:
        self._size, self._upwards = size, direction == StudyDirection.MAXIMIZE
        self._chosen: list[FrozenTrial] = []
        self._seen = 0  # of those that had ended

    def of(self, ended: Sequence[FrozenTrial]) -> list[FrozenTrial]:
        """The part of the trials that have ended, by number; of failed ones there is none.

        ``ended`` is in the order of their end, and has grown since the last time.
        """
        if len(ended) - self._seen >= _GROWTH:
            told = sorted(_told(ended), key=_number)
            self._chosen = told if len(told) <= self._size else self._choose(told)
            self._seen = len(ended)
        return sorted([*self._chosen, *_told(ended[self._seen :])], key=_number)

    def _choose(self, finished: Sequence[FrozenTrial]) -> list[FrozenTrial]:
        kept = {trial.number: trial for trial in finished[-_LATEST:]}
        complete = [t for t in finished if t.state == TrialState.COMPLETE and t.value is not None]
        complete.sort(key=lambda t: t.value, reverse=self._upwards)
        kept |= {trial.number: trial for trial in complete[:_BEST]}
        others = [trial for trial in finished if trial.number not in kept]
        room = max(1, self._size - len(kept))
        stride = max(1.0, len(others) / room)
        sample = [others[int(i * stride)] for i in range(min(room, len(others)))]
        return sorted([*kept.values(), *sample], key=_number)


def _told(ended: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    return [trial for trial in ended if trial.state in _TOLD]


def _number(trial: FrozenTrial) -> int:
    return int(trial.number)
