"""The sampler process: suggests points beside the server, so that no verdict waits for it.

    python -m lehr_service.operations.suggesting

It reads a line of JSON for each request and writes one for each suggestion. Its mirrors catch up
from the database, of which it only reads. It ends when its standard input does.
"""

from __future__ import annotations

import json
import os
import sys
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import asdict
from time import perf_counter
from typing import Any

from lehr_service.domain.study import Study
from lehr_service.garbage import collect_rarely
from lehr_service.operations.mirrors import catch_up
from lehr_service.search import Mirror, SearchError, Suggestion, hasten
from lehr_service.search.samplers import trial_seed
from lehr_service.search.thinning import DEFAULT_HISTORY
from lehr_service.storage import studies
from lehr_service.storage.session import Database

_NICE = 5  # where cores are few, verdicts come before suggestions


def sampling_mirror(study: Study, salt: int) -> Mirror:
    """A mirror to ask ahead; two servers with different salts suggest different points."""
    mirror = Mirror(study.definition, study.name, trial_seed(study.seed, salt))
    given = study.definition.sampler.get("max_history")
    mirror.thin(DEFAULT_HISTORY if given is None else given)
    return mirror


class Sampler:
    """The mirrors of this process, those used last, up to a number of trials in all."""

    def __init__(self, database: Database, salt: int, most_trials: int) -> None:
        self._database, self._salt, self._most_trials = database, salt, most_trials
        self._mirrors: OrderedDict[int, Mirror] = OrderedDict()

    def suggest(
        self,
        study_id: int,
        *,
        count: int,
        serial: int,
        pending: list[dict[str, Any]],
        number: int | None = None,
    ) -> Iterator[Suggestion]:
        """New points beside those that are pending, or one for the waiting trial ``number``."""
        try:
            with self._database.read() as connection:
                study = studies.by_id(connection, study_id)
                if study is None:
                    return
                mirror = self._mirror(study)
                if mirror.revision != study.revision:
                    catch_up(connection, study, mirror, for_sampling=True)
            known = [Suggestion(**suggestion) for suggestion in pending]
            finished = study.complete + study.pruned + study.fail
            with mirror.pretending(known):
                for i in range(1 if number is not None else count):
                    begin = perf_counter()
                    made = mirror.ask_ahead(serial + i, number)
                    made.seconds = perf_counter() - begin
                    made.finished = finished
                    yield made
            if number is not None:  # the mirror holds it as started, which may never be
                del self._mirrors[study_id]
        except SearchError as error:
            self._mirrors.pop(study_id, None)
            yield Suggestion({}, error=str(error))
        except Exception:
            self._mirrors.pop(study_id, None)
            raise

    def _mirror(self, study: Study) -> Mirror:
        known = self._mirrors.pop(study.id, None)
        fresh = sampling_mirror(study, self._salt) if known is None else known
        self._mirrors[study.id] = fresh
        while len(self._mirrors) > 1 and sum(m.size for m in self._mirrors.values()) > (
            self._most_trials
        ):
            self._mirrors.popitem(last=False)
        return fresh


def main() -> None:
    os.nice(_NICE)
    settings = json.loads(sys.stdin.readline())
    if settings.pop("hasten"):
        hasten()
    url = settings.pop("database_url")
    sampler = Sampler(Database(url), **settings)
    collect_rarely()
    _say({"ready": True})
    for line in sys.stdin:
        for suggestion in sampler.suggest(**json.loads(line)):
            _say(asdict(suggestion))
        _say({"done": True})


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
