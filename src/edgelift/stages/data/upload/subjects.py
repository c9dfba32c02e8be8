"""What is loaded: the proven files of a project's databases, and where each goes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgelift.errors import UsageError
from edgelift.model.data_document import DataDocument
from edgelift.model.shard_map import Member
from edgelift.model.target_schema import TargetSchema
from edgelift.project import hash_inputs
from edgelift.run import Run
from edgelift.sources.shard_files import find_members, list_placed
from edgelift.stages.data.upload.messages import MESSAGE_BYTES, MESSAGE_ROWS
from edgelift.targets.migrations import Migration, hash_migrations, read_migrations

FORMAT = 2  # raised when the same rows would be cut into other messages


@dataclass(frozen=True)
class Subject:
    """A lifted file and the database it goes to, made by `schema` or, an object, `migrations`."""

    member: Member
    strategy: str
    file: Path
    document: DataDocument
    schema: TargetSchema
    migrations: tuple[Migration, ...]

    @property
    def identity(self) -> str:
        """Return what a load of these rows, cut in this way, is known by."""
        parts = [FORMAT, MESSAGE_BYTES, MESSAGE_ROWS, self.document.root, self.schema_hash]
        return hash_inputs(*parts, self.member.object_name)

    @property
    def schema_hash(self) -> str:
        """Return what an object knows its schema by."""
        return hash_migrations(self.migrations)


def list_subjects(run: Run) -> list[Subject]:
    """Return the files to load; raises UsageError when there is none, or one is not as proven."""
    databases = list_placed(run.project.settings, run.journal)
    if not databases:
        raise UsageError(
            "There is no database to load rows into",
            why="none of the project's moves into D1 or a SQL object",
            tip=f"see what the plan says: {run.command('plan')}",
        )
    return [
        _read_subject(run, database.name, database.strategy, member)
        for database in databases
        for member in find_members(run.project.settings.data, run.journal, database)
    ]


def _read_subject(run: Run, database: str, strategy: str, member: Member) -> Subject:
    file = run.project.state / "data" / "target" / f"{member.name}.sqlite"
    document = run.journal.read_document(f"data:{member.name}", DataDocument)
    schema = run.journal.read_document(f"schema:{database}", TargetSchema)
    try:
        status = file.stat()
        migrations = tuple(read_migrations(run.project.state / "schema", database))
    except OSError as error:
        raise UsageError(
            f"The database {member.name} was not moved yet",
            why=str(error),
            tip=f"run: {run.command('data')}",
        ) from error
    found = (status.st_size, status.st_mtime_ns)
    if document is None or found != (document.size_bytes, document.modified_ns):
        raise UsageError(
            f"The file of {member.name} is not the one that was proven",
            why=f"{file} was changed since",
            tip=f"run: {run.command('data', '--force')}",
        )
    if schema is None:
        schema = TargetSchema(database=database, tables=(), after=())
    return Subject(member, strategy, file, document, schema, migrations)
