"""A study finds its learning rates by itself: range tests first, then trials in their bounds."""

import math

import pytest

pytestmark = [
    pytest.mark.system,
    pytest.mark.tensorflow,
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
]

TESTED = {"range_test": {"updates": 150, "seeds": 2}}
SPACE = {
    "optimizer": {name: {"learning_rate": TESTED} for name in ("momentum", "adam")},
    "parameters": {"hidden_units": 32},
}


def test_range_tests_come_first_and_trials_stay_within_their_bounds(lab, digits, wait_for):
    here = lab()
    here.start("worker", "work", "--name", "worker", "--devices", "cpu")
    study = digits(
        search_space=SPACE,
        training={"epochs": 1, "seed": 7},
        limits={"max_trials": 4},
        pruner="none",
    )
    here.post("/v1/studies", **study)
    wait_for(lambda: here.study()["state"] == "completed")

    tests = {
        test["optimizer"]: test for test in here.get("/v1/studies/digits/range_tests")["items"]
    }
    assert list(tests) == ["momentum", "adam"]
    for test in tests.values():
        assert (test["state"], test["worker"], test["message"]) == ("complete", "worker", None)
        assert test["setup"]["parameters"] == {"hidden_units": 32}
        assert all(len(curve["losses"]) > 75 for curve in test["curves"])
        first, lowest = (f([c["smoothed"][0] for c in test["curves"]]) for f in (max, min))
        assert lowest == pytest.approx(math.log(10), rel=0.3), "an untrained model guesses"
        assert min(min(curve["smoothed"]) for curve in test["curves"]) < 0.8 * first
        assert 1.0 < math.log10(test["bounds"]["high"] / test["bounds"]["low"]) < 5.0
    middles = {
        name: math.sqrt(test["bounds"]["low"] * test["bounds"]["high"])
        for name, test in tests.items()
    }
    assert middles["adam"] < middles["momentum"], "Adam takes lower rates, as everybody knows"

    trials = here.trials()
    assert [trial["state"] for trial in trials] == ["complete"] * 4
    tested = max(test["finished_at"] for test in tests.values())
    for trial in trials:
        name = trial["params"]["optimizer"]
        bounds = tests[name]["bounds"]
        assert trial["created_at"] > tested
        assert bounds["low"] <= trial["params"][f"{name}.learning_rate"] <= bounds["high"]

    again = here.post("/v1/studies", **study | {"name": "again"})
    assert again["range_tests"]["adam"]["bounds"] == tests["adam"]["bounds"]
    (copied, _) = here.get("/v1/studies/again/range_tests")["items"]
    assert (copied["reused_from"], copied["curves"]) == ("digits", tests["momentum"]["curves"])
