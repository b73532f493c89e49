"""The tables. Moments are seconds since 1970 in UTC; JSON is text, so the order of keys is kept."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)


class Json(TypeDecorator[Any]):
    """A JSON value as ASCII text; None is NULL."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else json.dumps(value, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _study_key(**kwargs: Any) -> Column[int]:
    return Column("study_id", ForeignKey("studies.id", ondelete="CASCADE"), **kwargs)


studies = Table(
    "studies",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("definition", Text, nullable=False),  # JSON; read as it is, for a cache of the parsed
    Column("seed", BigInteger, nullable=False),  # of the sampler; drawn once where none was given
    Column("state", String(20), nullable=False),
    Column("reason", Text),
    Column("revision", Integer, nullable=False),
    Column("waiting", Integer, nullable=False, default=0),
    Column("running", Integer, nullable=False, default=0),
    Column("complete", Integer, nullable=False, default=0),
    Column("pruned", Integer, nullable=False, default=0),
    Column("fail", Integer, nullable=False, default=0),
    Column("returned", Integer, nullable=False, default=0),  # of the waiting: started before
    Column("failures", Integer, nullable=False, default=0),  # of the failed: not cancelled
    Column("epochs", Integer, nullable=False, default=0),
    Column("finished_epochs", Integer, nullable=False, default=0),
    Column("range_tests_waiting", Integer, nullable=False, default=0),
    Column("range_tests_running", Integer, nullable=False, default=0),
    Column("exhausted", Boolean, nullable=False, default=False),
    Column("virtual_time", Double, nullable=False, default=0.0),  # claims / weight
    Column("attrs", Json, nullable=False, default=dict),  # Optuna's, of the study
    Column("created_at", Double, nullable=False),
    Column("finished_at", Double),
    Index(None, "state"),
    sqlite_autoincrement=True,  # tokens of a deleted study must not fit the next one
)

trials = Table(
    "trials",
    metadata,
    Column("id", Integer, primary_key=True),
    _study_key(nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", String(20), nullable=False),
    Column("reason", Text),
    Column("fixed_params", Json, nullable=False, default=dict),
    Column("params", Json),  # null until asked
    Column("value", Double),
    Column("objective_values", Json),
    Column("metrics", Json, nullable=False, default=dict),  # as sent with its completion
    Column("attempts", Integer, nullable=False, default=0),
    Column("lost", Integer, nullable=False, default=0),
    Column("steps", Integer, nullable=False, default=0),
    Column("worker", Text),
    Column("attrs", Json, nullable=False, default=dict),  # Optuna's, of the trial
    Column("revision", Integer, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("finished_at", Double),
    UniqueConstraint("study_id", "number"),
    Index(None, "study_id", "revision"),
    Index(None, "study_id", "state", "number"),
    Index(None, "study_id", "value"),
)

workers = Table(
    "workers",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", Text, nullable=False),
    Column("tasks", Json, nullable=False),
    Column("devices", Json, nullable=False),
    Column("versions", Json, nullable=False),
    Column("abilities", Json, nullable=False, default=list),
    Column("problems", Json, nullable=False, default=dict),  # of task modules, by module
    Column("draining", Boolean, nullable=False, default=False),
    Column("lost", Boolean, nullable=False, default=False),
    Column("registered_at", Double, nullable=False),
    Column("heard_at", Double, nullable=False),
    Column("deadline", Double, nullable=False),
    Column("token_id", String(16)),  # of the token that registered it, if it was one of `tokens`
    Index(None, "lost", "deadline"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", String(20), nullable=False),
    Column("digest", String(64), nullable=False),  # SHA-256 of the token
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("last_used_at", Double),
    Column("revoked_at", Double),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("token", String(64), nullable=False, unique=True),
    _study_key(nullable=False),
    Column("kind", String(10), nullable=False, default="trial"),  # trial | range_test
    Column("trial", Integer, nullable=False),  # its number, or the range test's
    Column("attempt", Integer, nullable=False),
    Column("worker_id", ForeignKey("workers.id"), nullable=False),
    Column("request_id", String(36), nullable=False),
    Column("outcome", String(20)),  # null while it runs
    Column("message", Text),
    Column("traceback", Text),
    Column("started_at", Double, nullable=False),
    Column("finished_at", Double),
    UniqueConstraint("study_id", "kind", "trial", "attempt"),
    UniqueConstraint("worker_id", "request_id"),
    Index("ix_attempts_running", "worker_id", "outcome"),
    Index(
        "ix_attempts_open",
        "worker_id",
        sqlite_where=text("outcome IS NULL"),
        postgresql_where=text("outcome IS NULL"),
    ),
)

reports = Table(
    "reports",
    metadata,
    _study_key(primary_key=True),
    Column("trial", Integer, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("step", Integer, primary_key=True),
    Column("value", Double),
    Column("learning_rate", Double),
    Column("metrics", Json, nullable=False),
    Column("verdict", String(10), nullable=False),
    Column("reason", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("reported_at", Double, nullable=False),
    Index(None, "study_id", "revision"),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    _study_key(primary_key=True),
    Column("trial", Integer, primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("saved_at", Double, nullable=False),
)

range_tests = Table(
    "range_tests",
    metadata,
    _study_key(primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("optimizer", String(100), nullable=False),
    Column("setup", Json, nullable=False),
    Column("key", String(64), nullable=False),  # SHA-256 of task and setup
    Column("reuse", Boolean, nullable=False),
    Column("state", String(20), nullable=False),
    Column("message", Text),
    Column("attempts", Integer, nullable=False),
    Column("lost", Integer, nullable=False),
    Column("worker", Text),
    Column("losses", Json),  # [[seed, [loss or null, ...]], ...]
    Column("suggestions", Json, nullable=False),
    Column("low", Double),
    Column("high", Double),
    Column("reused_from", String(100)),
    Column("started_at", Double),
    Column("finished_at", Double),
    Index(None, "key", "state"),
)
