"""The range test on Fashion-MNIST with a small CNN and Adam, and trainings at what it suggests."""

from lehr import plots, range_tests
from lehr_worker.training.range_test import RangeTestConfig, run
from reproduced.bench import Bench, accuracies, axes, mean_curve, spread, table

START, END = 1e-6, 1.0
DEFAULT = 1e-3  # Adam's rate as Kingma and Ba (2015) recommend it, and Keras's default


def reproduce(bench: Bench) -> None:
    print("\n### Range test: small CNN, Fashion-MNIST, Adam, batch 32")
    seeds = bench.pick(8, 2)
    images, tested = bench.pick(60_000, 700), bench.pick(10_000, 300)
    config = RangeTestConfig(
        task="cnn",
        optimizer={"name": "adam"},
        parameters={"images": images, "tested": tested},
        start=START,
        end=END,
        updates=bench.pick(200, 60),
        seeds=range(seeds),
    )
    curves = run(config, bench.tasks)
    found = range_tests.spreads(curves)
    search = range_tests.bounds(found, START, END)
    shown = plots.RangePicture("small CNN, Fashion-MNIST, Adam", curves, found, search)
    figure = plots.draw_range_tests([shown])
    bench.picture("range_test", figure)
    rows = [
        (rule, f"{s.mean:.2g}", f"{s.low:.2g} to {s.high:.2g}", f"{s.mean / DEFAULT:.1f}x")
        for rule, s in found.items()
    ]
    table(("rule", f"mean of {seeds} seeds", "lowest to highest seed", "against 1e-3"), rows)
    print(f"bounds that lehr suggests to search: {search.low:.2g} to {search.high:.2g}")
    train(bench, {rule: s.mean for rule, s in found.items()} | {"Adam's default": DEFAULT})


def train(bench: Bench, rates: dict[str, float]) -> None:
    seeds, epochs = bench.pick(3, 1), bench.pick(5, 1)
    parameters = {"images": bench.pick(9_600, 320), "tested": bench.pick(2_000, 300)}
    figure, (left,) = axes(1)
    rows = []
    for rule, rate in rates.items():
        optimizer = {"name": "adam", "learning_rate": rate}
        runs = [
            bench.train("cnn", optimizer, epochs=epochs, seed=seed, parameters=parameters)
            for seed in range(seeds)
        ]
        judged = [accuracies(reports) for reports in runs]
        first, last = ([values[index] for values in judged] for index in (0, -1))
        losses = [reports[-1].metrics["loss"] for reports in runs]
        rows.append((rule, f"{rate:.2g}", spread(first), spread(last), spread(losses)))
        left.plot(mean_curve(judged), label=f"{rule}: {rate:.2g}")
    updates = parameters["images"] // 32
    columns = ("rate from", "rate", f"test accuracy after {updates} updates")
    table((*columns, f"after {epochs * updates}", "training loss"), rows)
    left.set(ylabel="test accuracy", title=f"small CNN, Fashion-MNIST, Adam, {seeds} seeds")
    left.legend()
    bench.picture("range_test_trained", figure)
