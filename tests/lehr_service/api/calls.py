"""The contract's calls and fields, as the tests of this folder name them."""

STUDIES = "/v1/studies"
STUDY = "/v1/studies/study"
TRIAL_FIELDS = {
    *("study", "number", "state", "reason", "params", "value", "values", "attempts", "steps"),
    *("worker", "revision", "created_at", "started_at", "finished_at"),
}
COUNTS = {"waiting": 0, "running": 0, "complete": 0, "pruned": 0, "fail": 0}
SEVERAL = {
    "objective": None,
    "objectives": [
        {"metric": "accuracy", "direction": "maximize"},
        {"metric": "size", "direction": "minimize"},
    ],
}


def code(answer):
    return answer.status_code, answer.json()["error"]["code"]


CALLS = """
GET,POST /v1/studies
GET,PATCH,DELETE /v1/studies/{name}
POST /v1/studies/{name}/{action}
GET,POST /v1/studies/{name}/trials
GET /v1/studies/{name}/trials/{number}
GET /v1/studies/{name}/trials/{number}/reports
POST /v1/studies/{name}/trials/{number}/stop
GET /v1/studies/{name}/best
GET,POST /v1/workers
POST /v1/workers/{worker_id}/heartbeat
POST /v1/workers/{worker_id}/claim
POST /v1/workers/{worker_id}/drain
GET,POST /v1/tokens
DELETE /v1/tokens/{token_id}
POST /v1/attempts/{token}/reports
POST /v1/attempts/{token}/complete
POST /v1/attempts/{token}/fail
GET,PUT /v1/attempts/{token}/checkpoint
GET /healthz
GET /readyz
"""
