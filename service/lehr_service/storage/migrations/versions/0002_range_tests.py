"""Range tests of studies, and attempts at them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Added, not copied: on SQLite, replacing a table that others refer to would empty those.
    for name in ("range_tests_waiting", "range_tests_running"):
        op.add_column("studies", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    op.add_column("workers", sa.Column("abilities", sa.Text(), nullable=False, server_default="[]"))
    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("kind", sa.String(length=10), nullable=False, server_default="trial")
        )
        batch_op.drop_constraint("uq_attempts_study_id_trial_attempt", type_="unique")
        batch_op.create_unique_constraint(
            "uq_attempts_study_id_kind_trial_attempt", ["study_id", "kind", "trial", "attempt"]
        )
    op.create_table(
        "range_tests",
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("optimizer", sa.String(length=100), nullable=False),
        sa.Column("setup", sa.Text(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("reuse", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lost", sa.Integer(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("losses", sa.Text(), nullable=True),
        sa.Column("suggestions", sa.Text(), nullable=False),
        sa.Column("low", sa.Double(), nullable=True),
        sa.Column("high", sa.Double(), nullable=True),
        sa.Column("reused_from", sa.String(length=100), nullable=True),
        sa.Column("started_at", sa.Double(), nullable=True),
        sa.Column("finished_at", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["study_id"], ["studies.id"], name=op.f("fk_range_tests_study_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("study_id", "number", name=op.f("pk_range_tests")),
    )
    op.create_index(op.f("ix_range_tests_key_state"), "range_tests", ["key", "state"])
