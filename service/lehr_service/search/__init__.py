"""What is wise: samplers and pruners. The only package that imports Optuna."""

from lehr_service.search.ahead import Suggestion, hasten, is_stale, most_ahead
from lehr_service.search.checks import check_definition, check_enqueued
from lehr_service.search.errors import SearchError
from lehr_service.search.mirror import Asked, Changes, Mirror, TrialSnapshot, narrowing
from lehr_service.search.pruners import Decision

__all__ = [
    "Asked",
    "Changes",
    "Decision",
    "Mirror",
    "SearchError",
    "Suggestion",
    "TrialSnapshot",
    "check_definition",
    "check_enqueued",
    "hasten",
    "is_stale",
    "most_ahead",
    "narrowing",
]
