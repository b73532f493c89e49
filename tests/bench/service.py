"""The service against what a user would take instead, on one objective without training time.

    .venv/bin/python tests/bench/service.py [--contenders lehr-sqlite,optuna-sqlite] [--workers 16]
        [--trials 300] [--sampler tpe|random] [--studies 8] [--repeat 3] [--plot FILE]
    .venv/bin/python tests/bench/service.py --sizes 100,1000,10000     costs of large studies
    .venv/bin/python tests/bench/service.py --soak [10] | --herd [1000]     many workers at once

20 reports a trial, six parameters, TPE and the median pruner unless said. Workers of services
(lehr, KerasTuner's chief, Vizier) are tasks of this process on raw HTTP or gRPC: "CPU" is that of
the server and its helpers, "load" that of all workers. Workers of Optuna and of lehr-client are
processes, and Ray Tune and Syne Tune run all themselves: their "CPU" has their workers' in it. A
database server's is not counted. All share the machine with what they measure.

Rivals beside Optuna: pip install -c requirements.lock -e '.[bench]', in an environment of its own.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path

import many
import sizes
from contenders import CONTENDERS, missing
from measure import Row, draw, machine, medians, ratio, table
from servers import Bench

Rows = dict[tuple[str, int], list[Row]]


def compare(bench: Bench) -> None:
    """All contenders in turn, repeat after repeat, so that a noisy minute hits all of them."""
    options, rows, failed = bench.options, Rows(), dict[tuple[str, int], str]()
    lacking = {name: found for name in options.contenders if (found := missing(name))}
    for name, packages in lacking.items():
        print(f"missing: {name} (not installed: {', '.join(packages)}; pip install 'lehr[bench]')")
    present = [name for name in options.contenders if name not in lacking]
    for _ in range(options.repeat):
        for workers in options.workers:
            for name in present:
                try:
                    row = CONTENDERS[name](bench, Row(name, workers))
                except Exception as error:
                    failed[name, workers] = f"{type(error).__name__}: {error}"
                    print(f"failed: {name} W={workers}: {failed[name, workers]}", file=sys.stderr)
                    continue
                rows.setdefault((name, workers), []).append(row)
                shown = ", ".join(f"{k} {v:,.2f}" for k, v in row.figures().items())
                print(f"{name} W={workers}: {shown}", file=sys.stderr, flush=True)
    ordered = sorted(rows.values(), key=lambda r: (r[0].workers, present.index(r[0].contender)))
    print(table(ordered, options.base))
    for (name, workers), error in failed.items():
        print(f"failed: {name} W={workers}: {' '.join(error.split())[-300:]}")
    for workers in options.workers:
        _servers(rows, workers)
    if options.plot:
        draw(ordered, options.plot)


def _servers(rows: Rows, workers: int) -> None:
    one, two = rows.get(("lehr-postgres", workers)), rows.get(("lehr-2-servers", workers))
    if one and two:
        share = ratio(medians(two)["requests/s"], medians(one)["requests/s"])
        print(f"two servers against one on PostgreSQL, W={workers}: {share:.2f}x the requests/s")


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _names(text: str) -> list[str]:
    names = list(CONTENDERS) if text == "all" else text.split(",")
    if unknown := set(names) - set(CONTENDERS):
        raise argparse.ArgumentTypeError(f"unknown: {unknown}; known are {', '.join(CONTENDERS)}")
    return names


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--contenders", type=_names, default=list(CONTENDERS))
    parser.add_argument("--workers", type=_numbers, default=[1, 4, 16, 64])
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=60, help="limit of a cell")
    parser.add_argument("--ceiling-seconds", type=float, default=5)
    parser.add_argument("--sampler", choices=["tpe", "random"], default="tpe")
    parser.add_argument("--ask-ahead", type=int, default=None, help="sampler.ask_ahead")
    parser.add_argument("--studies", type=int, default=1, help="that lehr's workers share")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--base", default="optuna-postgres", help="contender that ratios refer to")
    parser.add_argument("--postgres", default="", help="URL; default: a server of this run")
    parser.add_argument("--plot", type=Path, default=None)
    parser.add_argument("--serve", nargs="*", default=[], help="more options of lehr serve")
    parser.add_argument("--databases", type=lambda t: t.split(","), default=["sqlite", "postgres"])
    parser.add_argument("--size-seconds", type=float, default=15, help="of each load on a size")
    parser.add_argument("--logs", action="store_true", help="show the ends of servers' logs")
    parser.add_argument("--sizes", type=_numbers, help="finished trials of large studies")
    parser.add_argument(
        "--soak", type=float, nargs="?", const=10, help="minutes of workers that report every 5 s"
    )
    parser.add_argument("--soak-workers", type=int, default=1000)
    parser.add_argument(
        "--herd", type=int, nargs="?", const=1000, help="workers that come and come back at once"
    )
    options = parser.parse_args()
    ahead = {} if options.ask_ahead is None else {"ask_ahead": options.ask_ahead}
    options.ask = {"name": options.sampler, **ahead}
    options.limits = options.trials, options.seconds
    return options


def main() -> None:
    options = _parsed()
    print(machine())
    with ExitStack() as stack:
        bench = Bench(options, stack)
        if options.sizes:
            sizes.measure(bench, options.sizes)
        elif options.soak or options.herd:
            many.measure(bench)
        else:
            compare(bench)


if __name__ == "__main__":
    main()
