"""A module of tasks that cannot be imported."""

import math

math.no_such_thing  # noqa: B018
