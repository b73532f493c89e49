"""What a server knows of a study between its transactions, so that they need not read it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from lehr_service.domain.study import Study
from lehr_service.operations.ledger import Ledger
from lehr_service.operations.mirrors import catch_up, news, take
from lehr_service.search import Mirror
from lehr_service.storage.questions import Question


class Known:
    """A study's mirror and ledger; forgotten where a transaction fails, and read again."""

    def __init__(self) -> None:
        self._held: tuple[Mirror, Ledger] | None = None
        self._is_shared = False  # the last transaction found what another server had stored

    @property
    def size(self) -> int:
        """How many trials it holds."""
        return self._held[0].size if self._held else 0

    def forget(self) -> None:
        """It may be wrong now, or is not needed any more."""
        self._held = None

    def questions(self, study_id: int) -> list[Question[Any]]:
        """What to ask, once the study is locked, for ``caught_up``; it may be nothing."""
        if self._held is None or not self._is_shared:
            return []
        return news(study_id, self._held[0].revision)

    def caught_up(
        self, connection: Connection, study: Study, told: Sequence[Any]
    ) -> tuple[Mirror, Ledger]:
        """Both, with all that other servers, or the last run of this one, have stored.

        ``told``: the answers to ``questions``.
        """
        if self._held is not None and self._held[0].revision == study.revision:
            self._is_shared = False
            return self._held
        self._is_shared = self._held is not None
        self._held = self._held or (
            Mirror(study.definition, study.name, study.seed),
            Ledger(study.id),
        )
        mirror, ledger = self._held
        changed = take(study, mirror, told) if told else catch_up(connection, study, mirror)
        ledger.forget(trial.number for trial in changed)
        return self._held
