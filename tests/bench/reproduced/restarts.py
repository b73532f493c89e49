"""Cosine annealing and warm restarts against constant and stepwise rates.

Loshchilov and Hutter (2017, arXiv:1608.03983) on CIFAR: SGD with Nesterov momentum 0.9, first rate
0.05. The default there divides by 5 after 30, 60 and 80 % of training; cosine ends better; restarts
with a short first cycle (T_0 1 or 10, T_mult 2) reach a good network in a half to a quarter of the
epochs. Here: a small ResNet on Fashion-MNIST, epochs of 100 updates.
"""

from statistics import mean

from reproduced.bench import CONSTANT, Bench, accuracies, axes, mean_curve, spread, table

OPTIMIZER = {"name": "momentum", "learning_rate": 0.05, "nesterov": True}
SCHEDULES = {
    "constant": CONSTANT,
    "steps, / 5 at .3, .6, .8": {
        "name": "piecewise_constant",
        "boundaries": [0.3, 0.6, 0.8],
        "factors": [1.0, 0.2, 0.04, 0.008],
    },
    "cosine": {"name": "cosine"},
    "SGDR, T_0 1, T_mult 2": {
        "name": "cosine_restarts",
        "first_decay": {"epochs": 1},
        "t_mul": 2.0,
    },
    "SGDR, T_0 5, T_mult 1": {
        "name": "cosine_restarts",
        "first_decay": {"epochs": 5},
        "t_mul": 1.0,
    },
}
EPOCHS = 15
MARKS = (3, 5, 7, 10, 15)  # cycles of 1, 2, 4, 8 epochs end after 3, 7, 15; of 5 after 5, 10, 15


def reproduce(bench: Bench) -> None:
    print("\n### Cosine and warm restarts, ResNet-8, Fashion-MNIST 14x14, momentum, rate 0.05")
    epochs, seeds = bench.pick(EPOCHS, 3), bench.pick(2, 1)
    marks = [mark for mark in MARKS if mark <= epochs]
    parameters = {"images": bench.pick(6_400, 256), "tested": bench.pick(2_000, 200)}
    figure, (left, right) = axes(2)
    judged = {}
    for name, schedule in SCHEDULES.items():
        runs = [
            bench.train(
                "small_resnet", OPTIMIZER, schedule, epochs=epochs, seed=seed, parameters=parameters
            )
            for seed in range(seeds)
        ]
        judged[name] = [accuracies(reports) for reports in runs]
        left.plot(range(1, epochs + 1), mean_curve(judged[name]), label=name)
        right.plot(range(1, epochs + 1), [report.learning_rate for report in runs[0]], label=name)
    goal = mean(run[-1] for run in judged["steps, / 5 at .3, .6, .8"]) - 0.005
    rows = [
        (
            name,
            *(spread([run[mark - 1] for run in runs]) for mark in marks),
            first_above(mean_curve(runs), goal),
        )
        for name, runs in judged.items()
    ]
    columns = [f"after {mark} epochs" for mark in marks]
    table(
        (f"test accuracy, {seeds} seeds", *columns, f"first epoch with a mean above {goal:.3f}"),
        rows,
    )
    left.set(ylabel="test accuracy")
    right.set(ylabel="learning rate of the epoch's last update")
    left.legend(fontsize="small")
    bench.picture("restarts", figure)


def first_above(curve: list[float], goal: float) -> str:
    """The first epoch, from 1, that is above the goal."""
    return next((str(epoch) for epoch, value in enumerate(curve, 1) if value > goal), "none")
