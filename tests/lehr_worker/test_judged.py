"""Which of an epoch's metrics a trial is judged by."""

import pytest

from lehr.wire.parts import Objective
from lehr_worker.recorder import MissingMetric, judged

BOTH = {"val_loss": 0.4, "ema_val_loss": 0.3}
RAW = {"val_loss": 0.4}


@pytest.mark.parametrize(
    ("judge", "metrics", "value"),
    [("raw", BOTH, 0.4), ("ema", BOTH, 0.3), ("auto", BOTH, 0.3), ("auto", RAW, 0.4)],
)
def test_a_report_carries_what_is_judged(judge, metrics, value):
    goal = Objective(metric="val_loss", direction="minimize", judge=judge)
    assert judged(goal, metrics) == value


def test_an_average_that_is_asked_for_must_be_there():
    goal = Objective(metric="val_loss", direction="minimize", judge="ema")
    with pytest.raises(MissingMetric, match="ema_val_loss, which the task does not report"):
        judged(goal, RAW)
