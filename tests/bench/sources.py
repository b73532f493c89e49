"""What sources about learning-rate schedules claim, by lehr's own engine on real data.

    LEHR_DATA_DIR=... python tests/bench/sources.py [--only NAME] [--quick] [--out DIR]

Prints tables and writes pictures. The figures of a full run stand in tests/bench/README.md.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from reproduced import boundaries, decay, per_epoch, ranges, resnets, restarts
from reproduced.bench import Bench, head
from reproduced.tasks import digits, from_folder

from lehr_worker.tasks.datasets import data_file

REPRODUCTIONS: dict[str, tuple[str, Callable[[Bench], None]]] = {
    "piecewise": ("mnist", boundaries.reproduce),
    "hold": ("mnist", per_epoch.reproduce_hold),
    "percent": ("mnist", per_epoch.reproduce_percent),
    "range-test": ("fashion_mnist", ranges.reproduce),
    "exponential": ("mnist", decay.reproduce),
    "resnet": ("fashion_mnist", resnets.reproduce),
    "restarts": ("fashion_mnist", restarts.reproduce),
}
"""The data set and the function of each."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; returns 1 where a data set was missing."""
    options = parse(arguments)
    bench = Bench(options.out, digits if options.digits else from_folder, quick=options.quick)
    print(head() + (", quick: figures say nothing" if options.quick else ""))
    missing = 0
    for name in options.only or REPRODUCTIONS:
        data, reproduce = REPRODUCTIONS[name]
        if not options.digits and data_file(data) is None:
            print(f"\n{name}: skipped, LEHR_DATA_DIR has no {data}/{data}.npz")
            missing = 1
            continue
        start, busy = time.perf_counter(), time.process_time()
        reproduce(bench)
        wall, cores = time.perf_counter() - start, time.process_time() - busy
        print(f"{name}: {wall:.0f} s, {cores:.0f} s of a core", flush=True)
    return missing


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--only", action="append", choices=REPRODUCTIONS, help="this one; several times if need be"
    )
    parser.add_argument("--quick", action="store_true", help="see whether everything runs")
    parser.add_argument(
        "--digits", action="store_true", help="scikit-learn's digits in place of the data sets"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("lehr-sources"), help="folder of the pictures"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
