"""A trial of Syne Tune's local back end: a process that prints its reports."""

import argparse

from objective import STEPS, loss
from syne_tune import Reporter

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("learning_rate", "momentum", "batch_size", "dropout", "width", "weight_decay"):
        parser.add_argument(f"--{name}", type=float)
    given = vars(parser.parse_known_args()[0])
    params = given | {f"momentum.{name}": given[name] for name in ("learning_rate", "momentum")}
    report = Reporter()
    for step in range(STEPS):
        report(epoch=step + 1, loss=loss(params, step))
