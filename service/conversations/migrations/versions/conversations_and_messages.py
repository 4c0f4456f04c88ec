"""Conversations and their messages."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "conversations",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("caller", sa.String(255), nullable=False),
        sa.Column("title", sa.LargeBinary),
        sa.Column("system", sa.LargeBinary),
        sa.Column("model_id", sa.String(2048)),
        sa.Column("max_messages", sa.Integer, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("updated_ms", sa.BigInteger, nullable=False),
        sa.Column("claim", sa.String(32)),
        sa.Column("claim_key", sa.String(255)),
        sa.Column("claim_fingerprint", sa.String(64)),
        sa.Column("claimed_until_ms", sa.BigInteger, nullable=False, server_default="0"),
    )
    op.create_index("ix_conversations_recent", "conversations", ["caller", "updated_ms", "id"])
    op.create_index("ix_conversations_claim", "conversations", ["claim"])
    op.create_table(
        "messages",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column(
            "conversation_id",
            sa.String(32),
            sa.ForeignKey("conversations.id", ondelete="CASCADE", name="fk_messages_conversation"),
            nullable=False,
        ),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("role", sa.String(9), nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("stream_id", sa.String(32)),
        sa.Column("model_id", sa.String(2048)),
        sa.Column("outcome", sa.LargeBinary),
        sa.Column("idempotency_key", sa.String(255)),
        sa.Column("fingerprint", sa.String(64)),
        sa.UniqueConstraint("conversation_id", "position", name="uq_messages_position"),
    )
    op.create_index("ix_messages_key", "messages", ["idempotency_key"])
