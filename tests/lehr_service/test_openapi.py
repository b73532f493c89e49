"""Every operation of the OpenAPI document, with generated requests: answers are as it says.

No 5xx; the status, content type, headers and body of every answer are declared; what the document
forbids is refused. ``LEHR_FUZZ_EXAMPLES`` requests of each kind an operation (8 by default), to a
server on ``LEHR_FUZZ_DATABASE`` (sqlite or postgres).
"""

import os
import uuid

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck
from hypothesis import strategies as st
from schemathesis import GenerationMode, checks

from lehr_service.app import create_app
from lehr_service.settings import Settings

EXAMPLES = int(os.environ.get("LEHR_FUZZ_EXAMPLES", "8"))
DOCUMENT = schemathesis.openapi.from_dict(create_app(Settings()).openapi())
OPERATIONS = {
    f"{operation.method.upper()} {operation.path}": operation
    for operation in (found.ok() for found in DOCUMENT.get_all_operations())
}
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


TOKEN = "of the environment"


def configured(examples):
    return hypothesis.settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.parametrize("name", OPERATIONS)
def test_answers_are_as_the_document_says(
    name, serve, create, simulated, answers, drawn_on, request
):
    place = {}
    if drawn_on == "postgres":
        template = request.getfixturevalue("postgres_template")
        place = {"database_url": request.getfixturevalue("postgres")(template)}
    answers.about = drawn_on
    # A token that is made would close a server that has none.
    server = serve(sampler_processes=0, token=TOKEN, **place)
    server.http.headers["Authorization"] = f"Bearer {TOKEN}"
    known = furnish(server, create, simulated)
    operation = OPERATIONS[name]
    if operation.path.endswith("/events"):
        known["name"] = ["ended"]  # the stream of a study that goes on has no end
    places = st.fixed_dictionaries(
        {parameter: st.sampled_from(values) for parameter, values in known.items()}
    )
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {TOKEN}"
        session.hooks["response"].append(lambda answer, **_: answers.note(answer.status_code))

        def send(case, place):
            for parameter in known.keys() & (case.path_parameters or {}).keys():
                if place[parameter] is not None:
                    case.path_parameters[parameter] = place[parameter]
            if isinstance(case.body, dict) and "wait" in case.body:
                case.body["wait"] = 0
            if isinstance(case.query, dict):
                case.query.pop("wait", None)
            case.call_and_validate(base_url=server.url, session=session, checks=CHECKS)

        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            try:
                cases = operation.as_strategy(generation_mode=mode)
                configured(EXAMPLES)(hypothesis.given(cases, places)(send))()
            except hypothesis.errors.Unsatisfiable:
                assert mode is GenerationMode.NEGATIVE, "there is nothing that could be wrong"


def furnish(server, create, simulated):
    """Studies, trials in several states, leases; what path parameters may name. None: anything."""
    create(server.http, name="ended", limits={"max_trials": 2})
    worker = simulated(server.http)
    worker.report(first := worker.claim(), 0, 0.5)
    worker.complete(first)
    worker.run_one()
    create(server.http, name="study", pruner={"name": "threshold", "lower": 0.1})
    worker.report(worker.claim(), 0, 0.0)
    running = worker.claim()
    worker.report(running, 0, 0.5)
    server.http.post("/v1/studies/study/trials", json={"params": {"optimizer": "sgd"}})
    return {
        "name": ["study", "study", "ended", "none", None],
        "number": [0, 1, 2, 3, None],
        "token": [running["token"], running["token"], first["token"], None],
        "worker_id": [worker.id, worker.id, uuid.uuid4().hex, None],
        "kind": ["history", "timeline", None],
    }
