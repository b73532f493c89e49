"""KerasTuner's chief: its oracle behind gRPC, random search; it gives no verdicts.

Started by the benchmark as a server process: ``python keras_tuner_load.py PORT FOLDER``.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from measure import Row
from objective import SPACE, STEPS, loss
from tally import Begun, Clock, Tally, measured

os.environ.setdefault("KERAS_BACKEND", "jax")  # not used, but Keras imports one


def measure(bench: Any, row: Row) -> Row:
    from keras_tuner.src import protos

    with bench.python(__file__, "{port}", bench.places.url("file")) as (url, pid):

        async def begin() -> Begun:
            tally = Tally(*bench.options.limits)
            address = url.removeprefix("http://")
            return tally, [_work(protos, address, i, tally) for i in range(row.workers)]

        return measured(row, [pid], begin)


async def _work(protos: Any, address: str, index: int, tally: Tally) -> None:
    import grpc

    own = [("grpc.use_local_subchannel_pool", 1)]  # a connection for each worker
    async with grpc.aio.insecure_channel(address, options=own) as channel:
        chief = protos.get_service_grpc().OracleStub(channel)
        while not tally.over.is_set():
            await _one_trial(protos, chief, f"tuner{index}", tally)


async def _one_trial(protos: Any, chief: Any, me: str, tally: Tally) -> None:
    messages, plain = protos.get_service(), protos.get_proto()
    begin = Clock()
    answer = await chief.CreateTrial(messages.CreateTrialRequest(tuner_id=me))
    tally.claims.append(Clock() - begin)
    trial = answer.trial
    values = trial.hyperparameters.values.values
    params = {name: getattr(v, v.WhichOneof("kind")) for name, v in values.items()}
    for step in range(STEPS):
        history = plain.MetricObservation(value=[loss(params, step)], step=step)
        begin = Clock()
        metrics = {"loss": history.value[0]}
        await chief.UpdateTrial(
            messages.UpdateTrialRequest(trial_id=trial.trial_id, metrics=metrics, step=step)
        )
        tally.reports.append(Clock() - begin)
    trial.status = plain.TrialStatus.Value("COMPLETED")
    begin = Clock()
    await chief.EndTrial(messages.EndTrialRequest(trial=trial))
    tally.others.append(Clock() - begin)
    tally.finished()


def serve(port: str, folder: str) -> None:
    """The chief, as its users start it: a tuner that the environment tells its part."""
    os.environ |= {"KERASTUNER_TUNER_ID": "chief", "KERASTUNER_ORACLE_PORT": port}
    os.environ["KERASTUNER_ORACLE_IP"] = "127.0.0.1"
    import keras_tuner

    space = keras_tuner.HyperParameters()
    for name, of in (SPACE["optimizer"]["momentum"] | SPACE["parameters"]).items():
        name = f"momentum.{name}" if name in SPACE["optimizer"]["momentum"] else name
        if isinstance(of, list):
            space.Choice(name, of)
            continue
        add = space.Int if of.get("int") else space.Float
        add(name, of["low"], of["high"], sampling="log" if of.get("log") else "linear")
    oracle = keras_tuner.oracles.RandomSearchOracle(
        objective=keras_tuner.Objective("loss", "min"), max_trials=10**6, hyperparameters=space
    )
    tuner = keras_tuner.engine.base_tuner.BaseTuner(oracle, directory=folder, project_name="bench")
    tuner.search(verbose=0)


if __name__ == "__main__":
    serve(*sys.argv[1:])
