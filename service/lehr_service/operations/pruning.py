"""What pruning has saved a study, and what it may have missed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from lehr.wire.parts import Direction
from lehr.wire.pruning import Pruning
from lehr.wire.trials import TrialState
from lehr_service.domain.study import Study
from lehr_service.storage import trials

_ALPHA = 0.1


def pruning_of(connection: Connection, study: Study) -> Pruning:
    """What the study's pruner has saved so far, and what it may have missed."""
    pruner = study.definition.pruner
    if pruner["name"] == "none" or study.pruned + study.complete == 0:
        return Pruning()
    found = trials.steps_by_state(connection, study.id)
    pruned, steps = found.get(TrialState.PRUNED, (0, 0))
    _, complete_steps = found.get(TrialState.COMPLETE, (0, 0))
    full = pruned * study.definition.training.epochs
    missed: dict[str, Any] = {}
    if pruner["name"] == "forecast":
        finals = trials.finals(connection, study.id) if pruner.get("audit") else []
        missed = _missed(pruner, finals, study.definition.goals[0].direction)
    return Pruning(
        pruned=pruned,
        epochs_saved=full - steps,
        share_saved=(full - steps) / (full + complete_steps) if full else 0.0,
        **missed,
    )


def _missed(
    pruner: dict[str, Any], finals: Sequence[tuple[float, bool]], direction: Direction
) -> dict[str, Any]:
    """By the audit once a trial has come through it; before that by the forecast's own level."""
    sign = 1.0 if direction == "maximize" else -1.0
    audited = [sign * value for value, is_audited in finals if is_audited]
    others = [sign * value for value, is_audited in finals if not is_audited]
    if not (audited and others):
        level = pruner.get("alpha") or _ALPHA
        return {"missed": level, "missed_from": "conformal level", "audited": len(audited)}
    beaten = sum(value > max(others) for value in audited)
    return {"missed": beaten / len(audited), "missed_from": "audit", "audited": len(audited)}
