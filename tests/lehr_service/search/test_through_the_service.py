"""The same stories over HTTP: what the service suggests and prunes is what plain Optuna does."""

from __future__ import annotations

import sys
import uuid
import warnings
from dataclasses import replace
from typing import Any

import pytest
from optuna.pruners import MedianPruner
from optuna.samplers import TPESampler

from lehr.wire.trials import TrialState

from . import stories
from .stories import SEED, play
from .test_agreement import STORIES


class ServiceSide:
    """A researcher and a worker of the service, who do what the story says."""

    def __init__(self, http: Any, definition: Any) -> None:
        self._http = http
        body = definition.model_dump(mode="json", exclude_none=True)
        body["sampler"] |= {"seed": SEED}
        self._post("/v1/studies", body)
        facts = {"name": "w", "tasks": {"t": {}}, "abilities": ["range_test"]}
        self._worker = self._post("/v1/workers", facts)["id"]
        self._tokens: dict[int, str] = {}

    def _post(self, path: str, body: Any) -> Any:
        answer = self._http.post(path, json=body)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def enqueue(self, params: dict[str, Any]) -> None:
        self._post("/v1/studies/s/trials", {"params": params})

    def ask(self) -> tuple[int, dict[str, Any]]:
        lease = self._claim()
        if lease.get("kind") == "range_test":
            self._find_nothing(lease)
            lease = self._claim()
        number = lease["trial"]["number"]
        self._tokens[number] = lease["token"]
        return number, lease["trial"]["params"]

    def _claim(self) -> Any:
        request = {"request_id": str(uuid.uuid4())}
        return self._post(f"/v1/workers/{self._worker}/claim", request)

    def _find_nothing(self, lease: Any) -> None:
        """A loss that never falls leaves all rates of the test to the search."""
        flat = [{"seed": s, "losses": [1.0] * lease["updates"]} for s in lease["seeds"]]
        self._post(f"/v1/attempts/{lease['token']}/range_test", {"curves": flat})

    def report(self, number: int, step: int, value: float) -> bool:
        body = {"reports": [{"step": step, "value": value}]}
        verdict = self._post(f"/v1/attempts/{self._tokens[number]}/reports", body)
        assert verdict["reason"]
        return verdict["verdict"] == "prune"

    def tell(self, number: int, state: TrialState, values: list[float] | None) -> None:
        path = f"/v1/attempts/{self._tokens[number]}"
        if state is TrialState.FAIL:
            self._post(f"{path}/fail", {"outcome": "error"})
        elif state is TrialState.COMPLETE and values is not None:
            body = {"value": values[0]} if len(values) == 1 else {"values": values}
            self._post(f"{path}/complete", body)


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.filterwarnings("ignore:WilcoxonPruner finds steps")
@pytest.mark.filterwarnings("ignore:`gamma` has been deprecated")
@pytest.mark.parametrize("name", STORIES)
def test_the_service_agrees_with_plain_optuna(serve: Any, name: str) -> None:
    pytest.importorskip(STORIES[name].needs)
    story = replace(STORIES[name], trials=min(STORIES[name].trials, 18))
    side = ServiceSide(serve().http, story.define())
    trace = play(side, story.trials, list(story.enqueued), story.objectives)
    assert trace == story.through_optuna()


@pytest.mark.parametrize("seed", range(10))
def test_ten_seeds_give_plain_optunas_parameters_and_prunes(
    serve: Any, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    for module in (stories, sys.modules[__name__]):
        monkeypatch.setattr(module, "SEED", seed)
    plain = {"name": "tpe", "n_startup_trials": 4, "ask_ahead": 0, "good_set": "all"}
    story = replace(STORIES["tpe"], sampler=plain, trials=14)
    definition = story.define()
    trace = play(ServiceSide(serve().http, definition), story.trials, [])

    def early_tpe(_seed: int, own: int) -> Any:
        return TPESampler(
            seed=own, n_startup_trials=4, multivariate=True, group=True, constant_liar=True
        )

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna calls three of these options experimental
        side = stories.PlainSide(definition, early_tpe, MedianPruner(), story.suggest)
        assert trace == play(side, story.trials, [])
