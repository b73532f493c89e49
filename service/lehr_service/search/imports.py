"""Points of a study that Optuna has stored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import optuna
from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import TrialState

from lehr_service.search.errors import SearchError
from lehr_service.search.quiet import quiet


def best_points(storage: str, study_name: str | None, limit: int) -> list[dict[str, Any]]:
    """Parameters of the best complete trials, the best first; of several objectives, the front.

    ``storage`` is a URL as ``optuna.load_study`` takes it; ``study_name`` may be left out where it
    holds one study. Raises SearchError where there is no such study.
    """
    with quiet(), _opened(storage, study_name) as study:
        if len(study.directions) > 1:
            return [trial.params for trial in study.best_trials[:limit]]
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    sign = 1 if study.direction == optuna.study.StudyDirection.MINIMIZE else -1
    ordered = sorted(complete, key=lambda trial: sign * (trial.value or 0.0))
    return list({str(trial.params): trial.params for trial in ordered}.values())[:limit]


@contextmanager
def _opened(storage: str, study_name: str | None) -> Iterator[Study]:
    """Raises SearchError."""
    with ExitStack() as stack:
        try:
            database = RDBStorage(storage)
            stack.callback(database.engine.dispose)
            study = optuna.load_study(study_name=study_name, storage=database)
        except Exception as error:  # whatever the database's driver raises
            raise SearchError(f"Optuna cannot open {storage}: {error or 'no study'}") from error
        yield study
