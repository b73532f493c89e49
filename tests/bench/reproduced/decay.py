"""exponential_decay(0.1, 1000, 0.9) against fixed rates on MNIST softmax regression.

A widely copied tutorial claims a test accuracy of .8586 for a fixed rate and .8897 for the decay.
It starts, as many of its time, from weights of a standard normal distribution.
"""

from reproduced.bench import CONSTANT, Bench, accuracies, axes, mean_curve, spread, table

DECAY = {"name": "exponential", "decay_steps": {"updates": 1000}, "decay_rate": 0.9}
CASES = {
    "fixed 0.1": (0.1, CONSTANT),
    "decay": (0.1, DECAY),
    "decay, staircase": (0.1, DECAY | {"staircase": True}),
    "fixed 0.01": (0.01, CONSTANT),
}
SEEDS = {"normal": 6, "glorot_uniform": 3}


def reproduce(bench: Bench) -> None:
    print("\n### exponential_decay(0.1, 1000, 0.9): softmax regression, MNIST, SGD, batch 100")
    figure, plots = axes(2)
    epochs, early = bench.pick((50, 10), (2, 1))
    for (start, seeds), plot in zip(SEEDS.items(), plots, strict=True):
        images, tested = bench.pick(55_000, 1_000), bench.pick(10_000, 300)
        parameters = {"start": start, "images": images, "tested": tested}
        rows = []
        for name, (rate, schedule) in CASES.items():
            judged = [
                accuracies(
                    bench.train(
                        "softmax",
                        {"name": "sgd", "learning_rate": rate},
                        schedule,
                        epochs=epochs,
                        seed=seed,
                        parameters=parameters,
                    )
                )
                for seed in range(bench.pick(seeds, 1))
            ]
            rows.append((name, *(spread([run[e] for run in judged]) for e in (early - 1, -1))))
            plot.plot(mean_curve(judged), label=name)
        columns = (f"from {start}, {bench.pick(seeds, 1)} seeds", f"after {early} epochs")
        table((*columns, f"after {epochs}"), rows)
        plot.set(ylabel="test accuracy", title=f"weights start {start}")
        if not bench.quick:
            plot.set_ylim(0.8, 0.93)
        plot.legend()
    bench.picture("exponential", figure)
