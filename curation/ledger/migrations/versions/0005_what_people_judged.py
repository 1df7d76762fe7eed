"""what people judged, which outlives later decisions: how late its sound was for them, how its cut went"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "judged",
        sa.Column("verdict_id", sa.BigInteger(), sa.ForeignKey("verdict.id"), primary_key=True, autoincrement=False),
        sa.Column("sound_late_us", sa.BigInteger(), nullable=False),
        sa.Column("cut", sa.String(), nullable=True),
    )


def downgrade() -> None:
    op.drop_table("judged")
