"""Everything of the schema that the ORM does not describe: a view and triggers."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.engine import Connection
from sqlalchemy.schema import CreateIndex, CreateTable

from .extensions import db

VIEWS_AND_TRIGGERS = (
    """
    CREATE VIEW IF NOT EXISTS score_buckets AS
    SELECT min(CAST(last_score * 10 AS INTEGER), 9) AS bucket,
           count(*) AS tokens,
           sum(last_label = 'anomalous') AS anomalous,
           sum(last_label = 'suspicious') AS suspicious
      FROM tokens
     WHERE last_score IS NOT NULL
     GROUP BY 1
    """,
    """
    CREATE TRIGGER IF NOT EXISTS tokens_after_prediction AFTER INSERT ON predictions
    BEGIN
      UPDATE tokens
         SET prediction_count = prediction_count + 1,
             last_score = NEW.score,
             last_label = NEW.label,
             last_scored_at = NEW.computed_at
       WHERE id = NEW.token_id;
    END
    """,
    """
    CREATE TRIGGER IF NOT EXISTS events_after_prediction AFTER INSERT ON predictions
    WHEN NEW.label <> 'normal'
    BEGIN
      INSERT INTO events (kind, token_id, payload, created_at)
      VALUES ('prediction', NEW.token_id,
              json_object('score', NEW.score, 'label', NEW.label, 'model', NEW.model),
              NEW.computed_at);
    END
    """,
    """
    CREATE TRIGGER IF NOT EXISTS events_after_verification AFTER UPDATE OF is_verified ON tokens
    WHEN OLD.is_verified <> NEW.is_verified
    BEGIN
      INSERT INTO events (kind, token_id, payload, created_at)
      VALUES ('verification', NEW.id,
              json_object('symbol', NEW.symbol, 'is_verified', NEW.is_verified),
              NEW.updated_at);
    END
    """,
)


def create_tables(connection: Connection) -> None:
    for table in db.metadata.sorted_tables:
        connection.execute(CreateTable(table))
        # create_all makes indexes in no fixed order; a seeded file should always be the same.
        for index in sorted(table.indexes, key=lambda index: index.name or ""):
            connection.execute(CreateIndex(index))


def create_views_and_triggers(connection: Connection) -> None:
    for statement in VIEWS_AND_TRIGGERS:
        connection.execute(text(statement))
