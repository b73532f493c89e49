"""Suggestions made before anybody claims them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lehr.wire.studies import StudyDefinition

MOST_AHEAD = 64  # suggestions of one study, where the study does not say
_LEARNING = ("tpe", "gp", "cmaes", "nsga2", "nsga3", "random")
_LIVELY = 8  # finished trials that a suggestion may miss, at least, where the study does not say


@dataclass
class Suggestion:
    """A point that a sampler has suggested, with what it wants to remember of it."""

    params: dict[str, Any]
    attrs: dict[str, Any] = field(default_factory=dict)  # Optuna's, of the trial
    study_attrs: dict[str, Any] = field(default_factory=dict)  # Optuna's, of the study
    key: str = ""  # of the space that was searched
    finished: int = 0  # trials that the sampler knew as finished
    number: int | None = None  # of the waiting trial that it is for; None: for a new one
    error: str = ""  # why there is no point
    seconds: float = 0.0  # that it took
    used: bool = False


def most_ahead(definition: StudyDefinition) -> int:
    """How many suggestions may be made ahead; 0: each is made when its trial is claimed.

    A study that names its seed wants the same search again, and so gets 0 unless it says more.
    """
    sampler = definition.sampler
    given = sampler.get("ask_ahead")
    if sampler["name"] not in _LEARNING:
        return 0
    if given is not None:
        return int(given)
    return MOST_AHEAD if sampler.get("seed") is None else 0


def is_stale(
    suggestion: Suggestion, definition: StudyDefinition, finished: int, at_work: int
) -> bool:
    """Whether too many trials have finished since a suggestion was made.

    By default as many as run at a time: so many are unknown to any suggestion anyway.
    """
    limit = definition.sampler.get("stale_after")
    if definition.sampler["name"] == "random":
        return False
    return finished - suggestion.finished > (max(_LIVELY, at_work) if limit is None else limit)


def hasten() -> bool:
    """Let TPE take the normal distribution from SciPy, which works on arrays, not from Python.

    Optuna has no public place for it. The two agree to rounding, which is not enough for the same
    search as plain Optuna's, so this is for processes that only ask ahead. Whether it was done.
    """
    try:
        import numpy as np
        from optuna.samplers._tpe import _truncnorm
        from scipy.special import log_ndtr, ndtr

        known = np.concatenate([-np.logspace(-3, 2, 50), np.logspace(-3, 1, 50)])
        for ours, theirs in ((ndtr, _truncnorm._ndtr), (log_ndtr, _truncnorm._log_ndtr)):
            if not np.allclose(theirs(known), ours(known), rtol=1e-9, atol=1e-15):
                return False
        _truncnorm._ndtr, _truncnorm._log_ndtr = ndtr, log_ndtr
    except (ImportError, AttributeError, TypeError):
        return False
    return True
