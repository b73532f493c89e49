"""Google Vizier's service on SQLite, random search; its only stopping rule stops at random.

Started by the benchmark as a server process: ``python vizier_load.py PORT DATABASE_URL``.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any

from measure import Row
from objective import STEPS, loss
from tally import Begun, Clock, Tally, measured


def measure(bench: Any, row: Row) -> Row:
    with bench.python(__file__, "{port}", bench.places.url("sqlite")) as (url, pid):
        address = url.removeprefix("http://")
        study = _created(address)

        async def begin() -> Begun:
            tally = Tally(*bench.options.limits)
            return tally, [_work(address, study, i, tally) for i in range(row.workers)]

        return measured(row, [pid], begin)


def _created(address: str) -> str:
    """The name of a study on the objective's space."""
    from vizier.service import clients
    from vizier.service import pyvizier as vz

    clients.environment_variables.server_endpoint = address
    config = vz.StudyConfig(algorithm="RANDOM_SEARCH")
    goal = vz.ObjectiveMetricGoal.MINIMIZE
    config.metric_information.append(vz.MetricInformation("loss", goal=goal))
    root, log = config.search_space.root, vz.ScaleType.LOG
    root.add_float_param("momentum.learning_rate", 1e-4, 1.0, scale_type=log)
    root.add_float_param("momentum.momentum", 0.5, 0.99)
    root.add_discrete_param("batch_size", [32, 64, 128])
    root.add_float_param("dropout", 0.0, 0.5)
    root.add_int_param("width", 8, 256, scale_type=log)
    root.add_float_param("weight_decay", 1e-6, 1e-2, scale_type=log)
    found = clients.Study.from_study_config(config, owner="bench", study_id="bench")
    return str(found.resource_name)


async def _work(address: str, study: str, index: int, tally: Tally) -> None:
    import grpc
    from vizier._src.service.vizier_service_pb2_grpc import VizierServiceStub

    own = [("grpc.use_local_subchannel_pool", 1)]  # a connection for each worker
    async with grpc.aio.insecure_channel(address, options=own) as channel:
        service = VizierServiceStub(channel)
        while not tally.over.is_set():
            await _one_trial(service, study, f"w{index}", tally)


async def _one_trial(service: Any, study: str, me: str, tally: Tally) -> None:
    from vizier.service.protos import study_pb2, vizier_service_pb2

    begin = Clock()
    trial = await _suggested(service, study, me)
    tally.claims.append(Clock() - begin)
    params = {p.parameter_id: p.value.number_value for p in trial.parameters}
    for step in range(STEPS):
        metric = study_pb2.Measurement.Metric(metric_id="loss", value=loss(params, step))
        measurement = study_pb2.Measurement(step_count=step, metrics=[metric])
        begin = Clock()
        await service.AddTrialMeasurement(
            vizier_service_pb2.AddTrialMeasurementRequest(
                trial_name=trial.name, measurement=measurement
            )
        )
        tally.reports.append(Clock() - begin)
    begin = Clock()
    await service.CompleteTrial(
        vizier_service_pb2.CompleteTrialRequest(name=trial.name, final_measurement=measurement)
    )
    tally.others.append(Clock() - begin)
    tally.finished()


async def _suggested(service: Any, study: str, me: str) -> Any:
    from google.longrunning.operations_pb2 import GetOperationRequest
    from vizier.service.protos import vizier_service_pb2

    operation = await service.SuggestTrials(
        vizier_service_pb2.SuggestTrialsRequest(parent=study, suggestion_count=1, client_id=me)
    )
    while not operation.done:
        await asyncio.sleep(0.01)
        operation = await service.GetOperation(GetOperationRequest(name=operation.name))
    if operation.HasField("error"):
        raise RuntimeError(f"{operation.error}")
    found = vizier_service_pb2.SuggestTrialsResponse.FromString(operation.response.value)
    return found.trials[0]


def serve(port: str, database: str) -> None:
    from vizier.service.servers import DefaultVizierServer

    server = DefaultVizierServer("127.0.0.1", port=int(port), database_url=database)
    print(f"serving at {server.endpoint}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    serve(*sys.argv[1:])
