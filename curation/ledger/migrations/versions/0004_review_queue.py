"""the review queue: leases, what an answer may change, keys that make answers count once"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("calibration") as calibration:
        calibration.add_column(sa.Column("newest_verdict", sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    with op.batch_alter_table("calibration") as calibration:
        calibration.drop_column("newest_verdict")
