"""What loading a deployed database is, whatever it is: look, load, prove, tell."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edgelift.errors import VerificationMismatch
from edgelift.model.findings import Check, Status
from edgelift.model.upload_state import UploadOptions, UploadState
from edgelift.run import Run
from edgelift.stages.data.upload.subjects import Subject
from edgelift.targets.door.cells import Sum
from edgelift.targets.door.client import Door
from edgelift.targets.door.loads import Load
from edgelift.targets.door.remote import Remote

STAGE = "upload"  # of the checks: beside those of data, which stay


@dataclass
class Loading:
    """Takes one database through all states; a kind of database says how."""

    run: Run
    subject: Subject
    door: Door
    options: UploadOptions
    started: float = field(default_factory=time.monotonic)

    def preview(self) -> UploadState:
        """Ask how it stands, and tell what there is to load."""
        words = self.describe_state()
        self.run.note(f"{self.subject.member.object_name} at {self.options.url}: {words}")
        return self.tell("preview", rows=self.subject.document.rows)

    def describe_state(self) -> str:
        """Return in words how it stands there; changes nothing."""
        raise AssertionError

    def run_whole(self) -> UploadState:
        """Load, prove and open; what is open with the same rows is left alone."""
        raise AssertionError

    def check(self, state: UploadState, url: str) -> Check:
        """Return the check that this database is loaded."""
        return Check(
            id=f"upload.rows:{self.subject.member.name}",
            stage=STAGE,
            title=f"The deployed database of {self.subject.member.name} holds the proven rows",
            status=Status.PASS,
            evidence=state.describe(),
            reproduce=self.run.command("data", "--upload", url),
            counts={"tables": state.tables, "rows": state.rows, "requests": state.requests},
            duration_s=state.duration_s,
        )

    def tell(self, state: str, **fields: float) -> UploadState:
        """Return where it stands."""
        return UploadState(
            database=self.subject.member.name,
            object=self.subject.member.object_name,
            state=state,
            tables=len(self.subject.document.tables),
            **fields,  # type: ignore[arg-type]
        )

    def tell_open(
        self, sums: Mapping[str, Sum], *, sent: int, resumed: int, size: int
    ) -> UploadState:
        """Return that all is loaded, by how much."""
        return self.tell(
            "open",
            rows=sum(total.rows for total in sums.values()),
            requests=sent,
            resumed=resumed,
            bytes=size,
            duration_s=round(time.monotonic() - self.started, 3),
        )

    def prove(self, loads: Sequence[Load], sums: Mapping[str, Sum]) -> None:
        """Compare each table's rows as they are hashed there; raises VerificationMismatch."""
        remote = Remote(self.door)
        wrong = []
        for load in loads:
            expected = sums[load.table]
            found = remote.read_sum(load, self.run.progress)
            if (found.rows, found.text) != (expected.rows, expected.text):
                wrong.append(f"{load.table}: {expected.rows} rows sent, {found.rows} there")
        if wrong:
            raise VerificationMismatch(
                f"{len(wrong)} tables of {self.subject.member.object_name} differ from what was "
                "sent",
                why="; ".join(wrong[:5]),
                tip="it does not count as loaded; load it anew with --replace",
            )
