"""Batch mode on a table that another one refers to: it is made anew, filled, and takes its name."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0002", "0001"


def upgrade():
    with op.batch_alter_table("shelf") as batch:
        batch.alter_column(
            "height", new_column_name="height_cm", type_=sa.Numeric(6, 1), nullable=False,
            existing_type=sa.Integer, server_default="10",
        )  # fmt: skip
        batch.alter_column("name", type_=sa.String(40), existing_type=sa.String(20))
        batch.create_unique_constraint("one_name", ["name"])


def downgrade():
    with op.batch_alter_table("shelf") as batch:
        batch.drop_constraint("one_name", type_="unique")
        batch.alter_column(
            "height_cm", new_column_name="height", type_=sa.Integer, nullable=True,
            existing_type=sa.Numeric(6, 1), server_default=None,
        )  # fmt: skip
