"""What pruning has done for a study."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lehr.wire.base import Wire


class Pruning(Wire):
    """What pruning has saved, and what it may have cost."""

    pruned: int = Field(default=0, description="trials")
    epochs_saved: int = Field(default=0, description="epochs that pruned trials did not train")
    share_saved: float = Field(
        default=0.0, description="of the epochs that all pruned and complete trials would train"
    )
    missed: float | None = Field(
        default=None,
        description="estimated share of pruned trials that would have beaten the best; null: "
        "nothing to estimate it from",
    )
    missed_from: Literal["audit", "conformal level"] | None = Field(
        default=None,
        description="audit: the share among trials that were let go on (pruner.audit); conformal "
        "level: an upper bound for each forecast (pruner.alpha), seldom reached",
    )
    audited: int = Field(
        default=0, description="complete trials that would have been pruned but for the audit"
    )
