"""Learning-rate schedules: pure float64 functions from the update to the learning rate.

An update is one optimizer update; the first is update 0. `build` turns a resolved schedule,
`{"name": "exponential", "decay_steps": {"epochs": 2}, "decay_rate": 0.9}`, into a `Curve`;
`SCHEDULES` says which schedules there are and what each takes.

Lengths. A length or position is a fraction of training in [0, 1], `{"epochs": x}` or
`{"updates": n}`, rounded to whole updates; a length that divides is at least one update.

Warm-up composes with every schedule. Over `warmup` = w updates the rate of update u < w is
`learning_rate * u / w` (0 at update 0, as in Keras's CosineDecay). Then the schedule runs as if its
update 0 were update w. Fractions of training inside it are fractions of the updates that remain
after warm-up, so a default cosine ends exactly at the end of training; epochs in it, those of the
per-epoch schedules included, count from the end of warm-up. With warm-up 0 nothing changes.

Beyond the end of training the same formula goes on: a curve is defined for every update >= 0.
Schedules that have an end (polynomial and linear without cycle, cosine, one_cycle,
warmup_stable_decay, the last piece of piecewise_constant) stay at their last rate; the others go
on decaying or cycling. "The end" of a training of n updates is update n, one after the last: the
rate there is the final one (0 for a default cosine), the last update made has a little more.
"""

from lehr.schedules.arguments import REQUIRED, Argument, Length, resolve_length
from lehr.schedules.catalogue import SCHEDULES, ScheduleType
from lehr.schedules.curves import Curve, build

__all__ = [
    "REQUIRED",
    "SCHEDULES",
    "Argument",
    "Curve",
    "Length",
    "ScheduleType",
    "build",
    "resolve_length",
]
