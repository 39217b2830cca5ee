"""A note knows whether a request or the worker wrote it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Every note so far came from a request."""
    op.add_column("notes", sa.Column("source", sa.String(20), nullable=False, server_default="web"))


def downgrade() -> None:
    """Forget it."""
    op.drop_column("notes", "source")
