"""Clients and workers of the last release work with this server: its document says so."""

from __future__ import annotations

import copy
import json
from typing import Any

from tests.lehr_service.compatibility import RELEASED, breaks, current

OLD = json.loads(RELEASED.read_text())
CLAIM = "/v1/workers/{worker_id}/claim"
REPORTS = "/v1/attempts/{token}/reports"


def test_nothing_breaks_clients_and_workers_of_the_release() -> None:
    assert breaks(OLD, current()) == []


def changed(change: Any) -> list[str]:
    new = copy.deepcopy(OLD)
    change(new, new["components"]["schemas"])
    return breaks(OLD, new)


def said_of(*changes: Any) -> str:
    return "\n".join(line for change in changes for line in changed(change))


def test_what_an_older_one_calls_must_stay() -> None:
    assert said_of(lambda d, s: d["paths"].pop(CLAIM)) == f"POST {CLAIM}: removed"
    waits = said_of(lambda d, s: d["paths"]["/v1/studies/{name}"]["get"]["parameters"].clear())
    assert "parameter wait removed" in waits
    answered = said_of(lambda d, s: d["paths"][CLAIM]["post"]["responses"].pop("204"))
    assert answered == f"POST {CLAIM}: status 204 removed"


def test_what_an_older_one_sends_must_be_taken() -> None:
    removed = said_of(lambda d, s: s["NewReport"]["properties"].pop("learning_rate"))
    assert f"POST {REPORTS} request.reports[].learning_rate: removed" in removed
    needed = said_of(lambda d, s: s["Registration"]["required"].append("abilities"))
    assert "POST /v1/workers request.abilities: is needed now" in needed
    outcomes = said_of(lambda d, s: s["Failure"]["properties"]["outcome"]["enum"].remove("error"))
    assert "request.outcome: error is not taken any more" in outcomes
    narrower = said_of(lambda d, s: s["Claim"]["properties"]["wait"].update(maximum=30))
    assert "request.wait: maximum is 30 now" in narrower
    other = said_of(lambda d, s: s["NewReport"]["properties"]["step"].update(type="string"))
    assert "integer has become string" in other


def test_what_an_older_one_reads_must_be_there() -> None:
    removed = said_of(lambda d, s: s["Lease"]["properties"].pop("checkpoint"))
    assert "checkpoint: removed" in removed or "fits no more" in removed
    gone = said_of(lambda d, s: s["Verdict"]["properties"].pop("reason"))
    assert gone == f"POST {REPORTS} 200.reason: removed"
    words = said_of(lambda d, s: s["Verdict"]["properties"]["verdict"]["enum"].append("wait"))
    assert words == f"POST {REPORTS} 200.verdict: wait is unknown to older ones"


def test_what_only_adds_breaks_nothing() -> None:
    def add(document: Any, schemas: Any) -> None:
        document["paths"]["/v2"] = {}
        schemas["Verdict"]["properties"]["more"] = {"type": "string"}
        schemas["Verdict"]["required"].append("more")
        schemas["Lease"]["properties"]["more"] = {"type": "string"}
        schemas["Registration"]["properties"]["more"] = {"type": "string"}
        schemas["Failure"]["properties"]["outcome"]["enum"].append("bored")
        schemas["Claim"]["properties"]["wait"].update(maximum=120)

    assert changed(add) == []
