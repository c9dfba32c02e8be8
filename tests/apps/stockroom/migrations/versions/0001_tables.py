"""The first tables and rows."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0001", None


def upgrade():
    shelf = op.create_table(
        "shelf",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(20), nullable=False),
        sa.Column("height", sa.Integer),
    )
    item = op.create_table(
        "item",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("shelf_id", sa.Integer, sa.ForeignKey("shelf.id"), nullable=False),
        sa.Column("label", sa.String(80), nullable=False),
        sa.Column("price", sa.Float),
    )
    op.create_index("by_label", "item", ["label"])
    op.bulk_insert(shelf, [{"id": 1, "name": "top", "height": 30}, {"id": 2, "name": "floor", "height": 5}])
    op.bulk_insert(item, [{"id": n, "shelf_id": 1 + n % 2, "label": f"i{n}"} for n in range(1, 6)])


def downgrade():
    op.drop_table("item")
    op.drop_table("shelf")
