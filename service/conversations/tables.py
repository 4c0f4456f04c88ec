"""The tables, as the latest migration leaves them.

Messages and titles are bytes, since they can be encrypted. Times are Unix milliseconds. A conversation with a running
reply is *claimed*: `claim` names the send, and is valid until `claimed_until_ms` unless it is renewed.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

metadata = MetaData()

conversations = Table(
    "conversations",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("caller", String(255), nullable=False),
    Column("title", LargeBinary),
    Column("system", LargeBinary),
    Column("model_id", String(2048)),
    Column("max_messages", Integer, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Column("claim", String(32)),
    Column("claim_key", String(255)),
    Column("claim_fingerprint", String(64)),
    Column("claimed_until_ms", BigInteger, nullable=False, server_default="0"),
    Index("ix_conversations_recent", "caller", "updated_ms", "id"),
    Index("ix_conversations_claim", "claim"),
)

messages = Table(
    "messages",
    metadata,
    Column("id", String(32), primary_key=True),
    Column(
        "conversation_id",
        String(32),
        ForeignKey("conversations.id", ondelete="CASCADE", name="fk_messages_conversation"),
        nullable=False,
    ),
    Column("position", Integer, nullable=False),
    Column("role", String(9), nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("stream_id", String(32)),
    Column("model_id", String(2048)),
    Column("outcome", LargeBinary),
    Column("idempotency_key", String(255)),
    Column("fingerprint", String(64)),
    UniqueConstraint("conversation_id", "position", name="uq_messages_position"),
    Index("ix_messages_key", "idempotency_key"),
)
