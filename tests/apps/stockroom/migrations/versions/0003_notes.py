"""A column by ALTER TABLE, batch mode with a check, a table, and rows that SQL changes."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0003", "0002"


def upgrade():
    op.add_column("item", sa.Column("amount", sa.Integer, nullable=False, server_default="1"))
    op.execute("UPDATE item SET amount = id * 10 WHERE shelf_id = 2")
    op.create_table(
        "note",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("item_id", sa.Integer, sa.ForeignKey("item.id"), nullable=False),
        sa.Column("said", sa.Text, nullable=False),
    )
    op.execute("INSERT INTO note (item_id, said) SELECT id, 'made by SQL' FROM item WHERE id < 3")
    with op.batch_alter_table("item", recreate="always") as batch:
        batch.drop_column("price")
        batch.create_check_constraint("some", "amount > 0")


def downgrade():
    with op.batch_alter_table("item") as batch:
        batch.drop_constraint("some", type_="check")
        batch.add_column(sa.Column("price", sa.Float))
        batch.drop_column("amount")
    op.drop_table("note")
