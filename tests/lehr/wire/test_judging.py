"""By which weights a running trial is judged, and which pruner a study gets."""

import copy

import pytest
from pydantic import ValidationError

from lehr.wire.studies import StudyDefinition

RATE = {"low": 0.001, "high": 1.0, "log": True}
PLAIN = {"optimizer": {"sgd": {"learning_rate": RATE}}}


def define(schedule=None, metric="val_loss", judge=None, **fields):
    space = PLAIN if schedule is None else PLAIN | {"schedule": schedule}
    objective = {"metric": metric, "direction": "minimize"} | ({"judge": judge} if judge else {})
    base = {"name": "s", "task": "t", "search_space": space, "training": {"epochs": 9}}
    base |= {} if "objectives" in fields else {"objective": objective}
    return StudyDefinition.model_validate(copy.deepcopy(base | fields))


SEVERAL = [{"metric": m, "direction": "minimize"} for m in ("val_loss", "size")]


@pytest.mark.parametrize(
    ("schedule", "pruner"),
    [
        (None, "none"),
        ({"cosine": {}}, "none"),
        ({"cosine": {}, "constant": {}}, "forecast"),
        ({"cosine": {"alpha": {"low": 0.0, "high": 0.1}}}, "forecast"),
        ({"cosine": {"alpha": [0.0, 0.1]}}, "forecast"),
    ],
)
def test_a_study_over_schedules_prunes_by_forecast(schedule, pruner):
    assert define(schedule).pruner == {"name": pruner}
    assert define(schedule, pruner="none").pruner == {"name": "none"}
    assert define(schedule, objectives=SEVERAL).pruner == {"name": "none"}


@pytest.mark.parametrize(
    ("schedule", "metric", "judge", "judged"),
    [
        (None, "val_loss", None, "raw"),
        (None, "val_loss", "ema", "ema"),
        ({"cosine": {}, "constant": {}}, "val_loss", None, "ema"),
        ({"cosine": {}, "constant": {}}, "val_loss", "auto", "ema"),
        ({"cosine": {}, "constant": {}}, "val_loss", "raw", "raw"),
        ({"cosine": {}, "constant": {}}, "loss", None, "raw"),
    ],
)
def test_auto_means_averaged_weights_where_schedules_differ(schedule, metric, judge, judged):
    definition = define(schedule, metric, judge)
    assert definition.judge == judged
    assert definition.ema == (0.99 if judged == "ema" else None)
    kept = define(schedule, metric, judge, training={"epochs": 9, "ema": 0.5})
    assert kept.ema == 0.5


def test_the_average_may_be_what_counts_in_the_end():
    definition = define(metric="ema_val_loss")
    assert (definition.judge, definition.ema) == ("raw", 0.99)


@pytest.mark.parametrize(
    ("fields", "path", "said"),
    [
        ({"judge": "ema", "metric": "loss"}, ("objective", "judge"), "loss has no average"),
        (
            {"objectives": [SEVERAL[0] | {"judge": "ema"}, SEVERAL[1]]},
            ("objectives", 0, "judge"),
            "not judged before the end",
        ),
        ({"judge": "both"}, ("objective", "judge"), "'raw', 'ema' or 'auto'"),
        ({"training": {"epochs": 9, "ema": 1.0}}, ("training", "ema"), "less than 1"),
        ({"training": {"epochs": 9, "ema": 0.0}}, ("training", "ema"), "greater than 0"),
        ({"pruner": {"name": "forecast", "alpha": 0}}, ("pruner", "alpha"), "greater than 0"),
        ({"pruner": {"name": "forecast", "dominance": "yes"}}, ("pruner", "dominance"), "on, off"),
        ({"sampler": {"name": "tpe", "good_set": 1}}, ("sampler", "good_set"), "complete, all"),
    ],
)
def test_what_is_wrong_is_named(fields, path, said):
    with pytest.raises(ValidationError) as found:
        define(**fields)
    (error,) = found.value.errors()
    assert error["loc"] == path
    assert said in error["msg"]


@pytest.mark.parametrize(("read", "means"), [(True, "on"), (False, "off"), ("auto", "auto")])
def test_dominance_may_be_what_yaml_makes_of_on_and_off(read, means):
    definition = define(pruner={"name": "forecast", "dominance": read})
    assert definition.pruner["dominance"] == means
