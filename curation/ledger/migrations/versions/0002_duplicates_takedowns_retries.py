"""duplicates, take-downs, when to retry, what the site says"""

from alembic import op
import sqlalchemy as sa

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("video") as video:
        video.add_column(sa.Column("site_licence", sa.String(), nullable=True))
        video.add_column(sa.Column("title", sa.String(), nullable=True))
        video.add_column(sa.Column("extractor", sa.String(), nullable=True))
        video.add_column(sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True))
    with op.batch_alter_table("clip") as clip:
        clip.add_column(sa.Column("duplicate_of", sa.String(), nullable=True))
    op.create_table(
        "fingerprint",
        sa.Column("video_id", sa.String(length=40), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("picture", sa.LargeBinary(), nullable=False),
        sa.Column("sound", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("video_id", "version"),
    )
    op.create_table(
        "takedown",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("video_id", sa.String(length=40), nullable=False),
        sa.Column("link", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("snapshots", sa.JSON(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("CURRENT_TIMESTAMP"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_takedown_video_id", "takedown", ["video_id"])
    op.create_index("ix_video_link", "video", ["link"])
    op.drop_index("ix_window_video_id", "window")
    op.create_index("window_video_start", "window", ["video_id", "start_us"])


def downgrade() -> None:
    op.drop_index("window_video_start", "window")
    op.create_index("ix_window_video_id", "window", ["video_id"])
    op.drop_index("ix_video_link", "video")
    op.drop_table("takedown")
    op.drop_table("fingerprint")
    with op.batch_alter_table("clip") as clip:
        clip.drop_column("duplicate_of")
    with op.batch_alter_table("video") as video:
        for name in ("retry_at", "extractor", "title", "site_licence"):
            video.drop_column(name)
