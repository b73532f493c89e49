"""Workers here measure made-up losses: bowls whose lowest point the test chooses."""

import copy
import math

from lehr.range_tests import bounds, cut, growing_rates, spreads

ABLE = ("range_test",)
TESTED = {"range_test": {"updates": 60, "seeds": 2}}
SPACE = {
    "optimizer": {
        "sgd": {"learning_rate": {"low": 0.001, "high": 1.0, "log": True}},
        "adam": {"learning_rate": TESTED, "beta_1": 0.95},
    },
    "parameters": {"batch_size": [16, 32, 64], "units": 8},
}
TWO = {"optimizer": {name: {"learning_rate": TESTED} for name in ("sgd", "adam")}}


def bowl(lease, lowest):
    """Losses that fall towards a rate, and rise beyond it."""
    grown = growing_rates(lease["start"], lease["end"], lease["updates"])
    return [2.3 - 1.8 * math.exp(-(math.log10(rate / lowest) ** 2)) for rate in grown]


def curves(lease, lowest=0.01):
    """A bowl for each seed, each a little further to the right."""
    return [{"seed": s, "losses": bowl(lease, lowest * 2**s)} for s in lease["seeds"]]


def expected(lease, lowest=0.01):
    """The bounds that follow from ``curves``."""
    grown = growing_rates(lease["start"], lease["end"], lease["updates"])
    found = spreads([cut(grown, curve["losses"]) for curve in curves(lease, lowest)])
    search = bounds(found, lease["start"], lease["end"])
    return {"low": search.low, "high": search.high}


def finish(worker, lease, lowest=0.01):
    answer = worker.send(lease, "range_test", curves=curves(lease, lowest))
    assert answer.status_code == 200, answer.text
    return answer.json()


def shown(server, name="study"):
    return server.http.get(f"/v1/studies/{name}").json()


def listed(server, name="study"):
    answer = server.http.get(f"/v1/studies/{name}/range_tests")
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def rates(worker, trials, optimizer="adam"):
    """The learning rates of this optimizer among so many new trials."""
    params = [worker.run_one()["params"] for _ in range(trials)]
    name = f"{optimizer}.learning_rate"
    return [point[name] for point in params if name in point]


def different(**changes):
    space = copy.deepcopy(SPACE)
    space["optimizer"]["adam"] |= changes.pop("adam", {})
    space["parameters"] |= changes.pop("parameters", {})
    return {"search_space": space} | changes
