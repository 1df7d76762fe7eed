"""the review queue: where a clip stands, leases, what an answer may change, keys that make answers count once"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def verdict_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("role", sa.String(), nullable=False, server_default="answer"),
        sa.Column("undoes", sa.BigInteger(), nullable=True),
        sa.Column("key", sa.String(length=36), nullable=True),
        sa.Column("label", sa.String(), nullable=True),
        sa.Column("caption", sa.String(), nullable=True),
        sa.Column("parts", sa.JSON(), nullable=True),
        sa.Column("sound_late_us", sa.BigInteger(), nullable=True),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("page", sa.String(), nullable=False, server_default=""),
    ]


def upgrade() -> None:
    with op.batch_alter_table("calibration") as calibration:
        calibration.add_column(sa.Column("newest_verdict", sa.BigInteger(), nullable=False, server_default="0"))
    with op.batch_alter_table("verdict") as verdict:
        for column in verdict_columns():
            verdict.add_column(column)
        verdict.create_unique_constraint("uq_verdict_key", ["key"])
        verdict.create_index("verdict_reviewer", ["reviewer", "id"])
    op.create_table(
        "review",
        sa.Column("clip_id", sa.String(length=40), sa.ForeignKey("clip.id"), primary_key=True),
        sa.Column("label", sa.String(), nullable=False, server_default=""),
        sa.Column("state", sa.String(), nullable=False, server_default="waiting"),
        sa.Column("verdict_id", sa.BigInteger(), nullable=True),
        sa.Column("answers", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("wanted", sa.BigInteger(), nullable=False, server_default="1"),
        sa.Column("audit", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("golden", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("uncertainty", sa.Float(), nullable=False, server_default="0"),
        sa.Column("disagreement", sa.Float(), nullable=False, server_default="0"),
        sa.Column("value", sa.Float(), nullable=False, server_default="0"),
        sa.Column("shuffle", sa.Float(), nullable=False, server_default="0"),
        sa.Column("leased_to", sa.String(), nullable=True),
        sa.Column("leased_until_ms", sa.BigInteger(), nullable=False, server_default="0"),
    )
    for name, columns in (
        ("review_order", ["state", "value"]),
        ("review_shuffle", ["state", "audit", "shuffle"]),
        ("ix_review_verdict_id", ["verdict_id"]),
        ("ix_review_leased_to", ["leased_to"]),
    ):
        op.create_index(name, "review", columns)
    op.create_table(
        "reviewer",
        sa.Column("name", sa.String(length=64), primary_key=True),
        sa.Column("password", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("CURRENT_TIMESTAMP"), nullable=False),
    )
    # Until now the newest verdict of a clip counted.
    op.execute(
        "INSERT INTO review (clip_id, label, state, verdict_id, answers) "
        "SELECT verdict.clip_id, source.label, 'done', MAX(verdict.id), COUNT(*) FROM verdict "
        "JOIN clip ON clip.id = verdict.clip_id JOIN source ON source.id = clip.source_id "
        "GROUP BY verdict.clip_id, source.label"
    )


def downgrade() -> None:
    op.drop_table("reviewer")
    op.drop_table("review")
    with op.batch_alter_table("verdict") as verdict:
        verdict.drop_index("verdict_reviewer")
        verdict.drop_constraint("uq_verdict_key", type_="unique")
        for column in verdict_columns():
            verdict.drop_column(column.name)
    with op.batch_alter_table("calibration") as calibration:
        calibration.drop_column("newest_verdict")
