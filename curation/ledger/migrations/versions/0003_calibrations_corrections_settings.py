"""calibrations, corrected offsets, settings of scores"""

from alembic import op
import sqlalchemy as sa

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("score") as score:
        score.add_column(sa.Column("settings", sa.String(length=12), nullable=False, server_default=""))
    with op.batch_alter_table("clip") as clip:
        clip.add_column(sa.Column("sound_late_us", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "calibration",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("policy", sa.JSON(), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("CURRENT_TIMESTAMP"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    op.drop_table("calibration")
    with op.batch_alter_table("clip") as clip:
        clip.drop_column("sound_late_us")
    with op.batch_alter_table("score") as score:
        score.drop_column("settings")
