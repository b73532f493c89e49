"""The examples of the OpenAPI document: each call has one, and the server accepts it."""

import pytest

from lehr.wire.base import Wire
from lehr_service.app import create_app
from lehr_service.settings import Settings

DOCUMENT = create_app(Settings()).openapi()
CALLS = {
    f"{method.upper()} {path}": call
    for path, calls in DOCUMENT["paths"].items()
    for method, call in calls.items()
}
BINARY = "PUT /v1/attempts/{token}/checkpoint"
RANGED = {"optimizer": {"sgd": {"learning_rate": {"range_test": {"updates": 20, "seeds": 1}}}}}


def schema_of(content):
    """The schema of a JSON body."""
    schema = content.get("application/json", {}).get("schema", {})
    return DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]


def bodies():
    """The example of each call that has a body."""
    return {
        name: schema_of(call["requestBody"]["content"])["examples"][0]
        for name, call in CALLS.items()
        if "requestBody" in call and name != BINARY
    }


@pytest.fixture
def http(serve):
    """With a token, for without one the first that is made must be an admin's."""
    http = serve(token="of the environment").http
    http.headers["Authorization"] = "Bearer of the environment"
    return http


@pytest.fixture
def send(http):
    """Send a call's example; what stands in braces is given by name. Its answer."""
    left = bodies()

    def sent(call, **places):
        method, path = call.split()
        answer = http.request(method, path.format(**places), json=left.pop(call))
        assert answer.is_success, (call, answer.text)
        return answer.json()

    sent.left = left
    return sent


def test_every_example_is_accepted(http, create, send):
    study = send("POST /v1/studies")["name"]
    send("PATCH /v1/studies/{name}", name=study)
    assert send("POST /v1/studies/{name}/trials", name=study)["number"] == 0
    worker = send("POST /v1/workers")["id"]
    first = send("POST /v1/workers/{worker_id}/claim", worker_id=worker)["token"]
    assert send("POST /v1/workers/{worker_id}/heartbeat", worker_id=worker)["drain"] is False
    assert send("POST /v1/attempts/{token}/reports", token=first)["verdict"] == "continue"
    assert send("POST /v1/attempts/{token}/complete", token=first)["state"] == "complete"
    claim = {"request_id": "4f6b1a52-6d5c-4c2e-9a55-0a8d1f1f7c12"}
    second = http.post(f"/v1/workers/{worker}/claim", json=claim).json()["token"]
    assert send("POST /v1/attempts/{token}/fail", token=second)["state"] == "fail"
    http.post(f"/v1/studies/{study}/pause")
    create(http, name="ranged", search_space=RANGED)
    able = {"name": "w", "tasks": {"task": {}}, "abilities": ["range_test"]}
    other = http.post("/v1/workers", json=able).json()["id"]
    lease = http.post(f"/v1/workers/{other}/claim", json=claim).json()
    assert send("POST /v1/attempts/{token}/range_test", token=lease["token"])["state"] == "complete"
    send("POST /v1/tokens")
    assert send.left == {}


def test_every_call_says_what_its_parameters_are_and_shows_its_answer():
    for name, call in CALLS.items():
        for parameter in call.get("parameters", []):
            told = str(parameter)
            assert "description" in told or "enum" in told or "$ref" in told, (name, told)
        for status, answer in call["responses"].items():
            for kind, content in answer.get("content", {}).items() if status < "300" else ():
                schema = content.get("schema", {})
                if kind != "application/json" or "example" in content or "$ref" not in schema:
                    continue
                assert shown(schema["$ref"].rpartition("/")[2]), name


def shown(name):
    """Whether the document shows an example of a model, or of the items of a list of it."""
    schema = DOCUMENT["components"]["schemas"][name]
    items = schema.get("properties", {}).get("items", {}).get("items", {})
    return "examples" in schema or (items and shown(items["$ref"].rpartition("/")[2]))


def models(base):
    for model in base.__subclasses__():
        yield model
        yield from models(model)


def test_every_example_is_what_its_model_takes():
    shown = [(m, m.model_config.get("json_schema_extra", {})) for m in models(Wire)]
    examples = [(model, example) for model, extra in shown for example in extra.get("examples", ())]
    assert len(examples) > 15
    for model, example in examples:
        model.model_validate(example)
