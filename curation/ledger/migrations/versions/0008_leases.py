"""who works on which video, who publishes, and what was told of the queue"""

from alembic import op
import sqlalchemy as sa

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("video") as video:
        video.add_column(sa.Column("leased_to", sa.String(80), nullable=True))
        video.add_column(sa.Column("leased_until_ms", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_index("ix_video_leased_to", "video", ["leased_to"])
    op.create_table(
        "turn",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("leased_to", sa.String(80), nullable=False),
        sa.Column("leased_until_ms", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "told",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("note", sa.JSON(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("told")
    op.drop_table("turn")
    op.drop_index("ix_video_leased_to", "video")
    with op.batch_alter_table("video") as video:
        video.drop_column("leased_until_ms")
        video.drop_column("leased_to")
