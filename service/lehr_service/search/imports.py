"""Points of a study that Optuna has stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import optuna
from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import TrialState
from sqlalchemy import NullPool

from lehr.wire.base import all_of
from lehr_service.search.errors import SearchError
from lehr_service.search.quiet import quiet


def best_points(storage: str, study_name: str | None, limit: int) -> list[dict[str, Any]]:
    """Parameters of the best complete trials, the best first; of several objectives, the front.

    ``storage`` is a URL as ``optuna.load_study`` takes it; ``study_name`` may be left out where it
    holds one study. Raises SearchError where there is no such study.
    """
    with quiet():
        study = _opened(storage, study_name)
        if len(study.directions) > 1:
            return [trial.params for trial in study.best_trials[:limit]]
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        sign = 1 if study.direction == optuna.study.StudyDirection.MINIMIZE else -1
    ordered = sorted(complete, key=lambda trial: sign * (trial.value or 0.0))
    return list({str(trial.params): trial.params for trial in ordered}.values())[:limit]


def _opened(storage: str, study_name: str | None) -> Study:
    """Raises SearchError."""
    try:
        # Without a pool no connection stays open, not even where Optuna cannot begin with it.
        database = RDBStorage(storage, engine_kwargs={"poolclass": NullPool})
        name = _chosen(optuna.get_all_study_names(database), study_name, storage)
        return optuna.load_study(study_name=name, storage=database)
    except SearchError:
        raise
    except Exception as error:  # whatever the database's driver raises
        said = str(error).partition("\n")[0]
        raise SearchError(f"Optuna cannot open {storage}: {said}") from error


def _chosen(names: Sequence[str], wanted: str | None, storage: str) -> str:
    """The study that is meant. Raises SearchError where there is none, or more than one."""
    if wanted is None and len(names) == 1:
        return names[0]
    if wanted is not None and wanted in names:
        return wanted
    there = (
        f"there are {all_of(names)}" if len(names) > 1 else f"there is {all_of(names) or 'none'}"
    )
    asked = "name the study" if wanted is None else f"no study is named {wanted!r}"
    raise SearchError(f"{asked} (--study NAME): in {storage} {there}")
