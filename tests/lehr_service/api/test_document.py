"""Health, readiness and the OpenAPI document: every call is there, with its errors."""

from .calls import CALLS

# The server


def test_health_and_readiness(http):
    assert http.get("/healthz").json() == {"status": "ok"}
    assert http.get("/readyz").json() == {"status": "ready"}


def references(document):
    if isinstance(document, dict):
        if isinstance(document.get("$ref"), str):
            yield document["$ref"]
        for value in document.values():
            yield from references(value)
    elif isinstance(document, list):
        for value in document:
            yield from references(value)


def test_the_openapi_document_has_every_call_and_its_errors(quick):
    document = quick.get("/openapi.json").json()
    assert document["openapi"].startswith("3.")
    schemas = document["components"]["schemas"]
    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in schemas
    assert "HTTPValidationError" not in schemas
    for line in CALLS.split("\n")[1:-1]:
        methods, path = line.split()
        for method in methods.lower().split(","):
            responses = document["paths"][path][method]["responses"]
            assert any(status.startswith("2") for status in responses)
            if path.startswith("/v1"):
                refused = responses["422"]["content"]["application/json"]["schema"]
                assert refused == {"$ref": "#/components/schemas/ErrorAnswer"}
    assert schemas["ErrorBody"]["properties"].keys() == {"code", "message", "fields"}
    names = [o["operationId"] for path in document["paths"].values() for o in path.values()]
    assert len(names) == len(set(names))
    assert quick.get("/docs").status_code == 200
