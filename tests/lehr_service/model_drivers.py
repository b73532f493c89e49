"""The two ways in which the model's test drives the service: by its lanes, and by REST."""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from functools import partial

import httpx

from lehr.wire.parts import Limits
from lehr.wire.studies import StudyChanges, StudyDefinition
from lehr.wire.workers import Completion, Failure, NewReport
from lehr_service import app as service
from lehr_service.errors import ServiceError, WorkerUnknown
from lehr_service.lanes import Lanes
from lehr_service.operations import dispatch, recovery, trials
from lehr_service.operations import studies as study_acts
from lehr_service.operations.heartbeats import Beat, hear
from lehr_service.settings import Settings
from lehr_service.storage import studies as study_rows
from lehr_service.storage import trials as trial_rows
from lehr_service.storage import workers as worker_rows
from lehr_service.storage.session import Database

LEASE = 30.0
TASK = "task"


class FakeClock:
    now = 1.7e9

    def __call__(self):
        return self.now


class ByLanes:
    """Drives lanes and operations, with no HTTP between."""

    def __init__(self, url, answers):
        self.url, self.answers, self.clock = url, answers, FakeClock()
        self._runner = asyncio.Runner()
        self._open()

    def _open(self):
        self.database = Database(self.url)
        self.database.migrate()
        self._runner.run(self._begin())

    async def _begin(self):
        self.lanes = Lanes(self.database, lease_seconds=LEASE, queue_commands=100, clock=self.clock)

    def restart(self, down):
        self._runner.run(self.lanes.close())
        self.database.close()
        self.clock.now += down
        self._open()

    def close(self):
        self._runner.run(self.lanes.close())
        self.database.close()
        self._runner.close()

    def _read(self, query, *given, **named):
        with self.database.read() as connection:
            return query(connection, *given, **named)

    def _submit(self, study_id, act):
        try:
            result = self._runner.run(self.lanes.submit(study_id, act))
        except ServiceError as error:
            self.answers.note(error.status)
            raise
        self.answers.note(200)
        return result

    def _answer(self, study_id, act, told=lambda result: "ok"):
        try:
            return told(self._submit(study_id, act))
        except ServiceError as error:
            return error.code

    def _id(self, name):
        return self._read(study_rows.by_name, name).id

    def create(self, given):
        with self.database.write() as connection:
            study_acts.create(connection, StudyDefinition.model_validate(given), self.clock())

    def enqueue(self, name):
        return self._answer(self._id(name), partial(trials.enqueue, params={"optimizer": "sgd"}))

    def act(self, name, action):
        return self._answer(self._id(name), partial(study_acts.act, action=action))

    def change(self, name, max_trials, max_parallel):
        limits = Limits(max_trials=max_trials, max_parallel=max_parallel)
        act = partial(study_acts.change, changes=StudyChanges(limits=limits))
        return self._answer(self._id(name), act)

    def stop_trial(self, name, number):
        return self._answer(self._id(name), partial(trials.stop, number=number))

    def register(self):
        now, worker_id = self.clock(), uuid.uuid4().hex
        worker = worker_rows.Worker(
            worker_id, "w", {TASK: {}}, [], {}, [], False, False, now, now, now + LEASE
        )
        with self.database.write() as connection:
            worker_rows.add(connection, worker)
        return worker_id

    def heartbeat(self, worker, tokens):
        now, beats = self.clock(), [Beat(worker, tokens)]
        with self.database.write() as connection:
            (found,) = hear(connection, beats, now, now + LEASE)
        return "worker_unknown" if found is None else (sorted(found.stop), found.drain)

    def drain(self, worker):
        with self.database.write() as connection:
            worker_rows.drain(connection, worker)

    def claim(self, worker, request):
        try:
            mine = worker, request
            candidates = self._read(dispatch.choose_studies, [mine])[mine]
            if candidates is None:
                raise WorkerUnknown(worker)
            ids = deque(candidates.study_ids)
            while ids:
                act = partial(dispatch.claim, worker_id=worker, request_id=request)
                lease = self._submit(ids.popleft(), act)
                if isinstance(lease, dispatch.Elsewhere):
                    ids = deque([lease.study_id])
                elif lease is not None:
                    return lease.study, lease.trial.number, lease.attempt, lease.token
        except ServiceError as error:
            return error.code
        return None

    def _attempt(self, token, act, told=lambda result: "ok"):
        return self._answer(dispatch.study_of(token), act, told)

    def report(self, token, step, value):
        sent = [NewReport(step=step, value=value)]
        act = partial(trials.report, token=token, sent=sent)
        return self._attempt(token, act, lambda verdict: verdict.verdict)

    def complete(self, token, value):
        sent = Completion(value=value)
        return self._attempt(token, partial(trials.complete, token=token, completion=sent))

    def fail(self, token, outcome):
        sent = Failure(outcome=outcome)
        return self._attempt(token, partial(trials.fail, token=token, failure=sent))

    def sweep(self):
        now = self.clock()
        for suspect in self._read(recovery.suspects, now, self.lanes.grace_until):
            with self.database.write() as connection:
                worker_rows.mark_lost(connection, suspect.worker_id, suspect.deadline)
            for study_id, token in suspect.attempts:
                self._submit(study_id, partial(recovery.expire, token=token))

    def seen(self, names):
        return self._read(lambda connection: {n: self._study(connection, n) for n in names})

    def _study(self, connection, name):
        study = study_rows.by_name(connection, name)
        rows = trial_rows.every(connection, study.id)
        return study.state.value, [(t.state.value, t.attempts, t.steps, t.value) for t in rows]


class ByRest:
    """Drives the REST surface of the application, in this process."""

    def __init__(self, url, answers):
        self.url, self.answers, self.clock = url, answers, FakeClock()
        self._runner = asyncio.Runner()
        self._runner.run(self._open())

    async def _open(self):
        given = Settings(
            database_url=self.url,
            sampler_processes=0,
            lease_seconds=LEASE,
            heartbeat_seconds=LEASE / 3,
        )
        self._app = service.create_app(given, self.clock)
        self._life = self._app.router.lifespan_context(self._app)
        await self._life.__aenter__()
        transport = httpx.ASGITransport(self._app)
        self._http = httpx.AsyncClient(transport=transport, base_url="http://localhost")

    async def _close(self):
        await self._http.aclose()
        await self._life.__aexit__(None, None, None)

    def restart(self, down):
        self._runner.run(self._close())
        self.clock.now += down
        self._runner.run(self._open())

    def close(self):
        self._runner.run(self._close())
        self._runner.close()

    def _post(self, path, told=lambda body: "ok", **body):
        return self._send("POST", path, told, body)

    def _send(self, method, path, told, body):
        answer = self._runner.run(self._http.request(method, f"/v1{path}", json=body))
        self.answers.note(answer.status_code)
        if answer.status_code >= 400:
            assert answer.status_code < 500, answer.text
            return answer.json()["error"]["code"]
        return told(answer.json()) if answer.content else None

    def _get(self, path):
        return self._runner.run(self._http.get(path)).json()

    def create(self, given):
        assert self._post("/studies", **given) == "ok"

    def enqueue(self, name):
        return self._post(f"/studies/{name}/trials", params={"optimizer": "sgd"})

    def act(self, name, action):
        return self._post(f"/studies/{name}/{action}")

    def change(self, name, max_trials, max_parallel):
        limits = {"max_trials": max_trials, "max_parallel": max_parallel}
        return self._send("PATCH", f"/studies/{name}", lambda body: "ok", {"limits": limits})

    def stop_trial(self, name, number):
        return self._post(f"/studies/{name}/trials/{number}/stop")

    def register(self):
        return self._post("/workers", lambda body: body["id"], name="w", tasks={TASK: {}})

    def heartbeat(self, worker, tokens):
        def told(body):
            return sorted(body["stop"]), body["drain"]

        return self._post(f"/workers/{worker}/heartbeat", told, attempts=tokens)

    def drain(self, worker):
        assert self._post(f"/workers/{worker}/drain") == "ok"

    def claim(self, worker, request):
        def told(body):
            return body["study"], body["trial"]["number"], body["attempt"], body["token"]

        return self._post(f"/workers/{worker}/claim", told, request_id=request)

    def report(self, token, step, value):
        reports = [{"step": step, "value": value}]
        path = f"/attempts/{token}/reports"
        return self._post(path, lambda body: body["verdict"], reports=reports)

    def complete(self, token, value):
        return self._post(f"/attempts/{token}/complete", value=value)

    def fail(self, token, outcome):
        return self._post(f"/attempts/{token}/fail", outcome=outcome)

    def sweep(self):
        self._runner.run(service.sweep(self._app.state.server))

    def seen(self, names):
        return {name: self._study(name) for name in names}

    def _study(self, name):
        study = self._get(f"/v1/studies/{name}")
        page = self._get(f"/v1/studies/{name}/trials?limit=1000")["items"]
        rows = sorted(page, key=lambda trial: trial["number"])
        return study["state"], [
            (t["state"], t["attempts"], t["steps"], t.get("value")) for t in rows
        ]
