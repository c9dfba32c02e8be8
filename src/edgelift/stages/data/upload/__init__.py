"""Loads proven rows into the databases of a deployed sql project, and proves them there again.

A SQL object is closed to the app until that was done (sql_object.py), a D1 is filled batch by batch
(d1.py). A run that was killed goes on with what is missing.
"""

from __future__ import annotations

import os

import httpx

from edgelift.model.findings import Check
from edgelift.model.upload_state import UploadOptions, UploadState
from edgelift.run import Run
from edgelift.stages.data.upload.d1 import D1Loading
from edgelift.stages.data.upload.loading import STAGE, Loading
from edgelift.stages.data.upload.sql_object import ObjectLoading
from edgelift.stages.data.upload.subjects import list_subjects
from edgelift.targets.door.client import SECRET_VARIABLE, Door, check_door

_LOADINGS: dict[str, type[Loading]] = {"object": ObjectLoading, "d1": D1Loading}


def upload_all(run: Run, options: UploadOptions) -> tuple[UploadState, ...]:
    """Load every database that moves; record a check for each.

    Raises UsageError, TargetError, VerificationMismatch for a database that holds other rows than
    were sent; an object then stays closed to the app.
    """
    run.current = STAGE
    secret = os.environ.get(SECRET_VARIABLE, "")
    check_door(options.url, secret)
    subjects = list_subjects(run)
    states: list[UploadState] = []
    checks: list[Check] = []
    with httpx.Client(follow_redirects=False) as client:
        for subject in subjects:
            member = subject.member
            door = Door(client, options.url, secret, member.binding, member.object_name, run.note)
            loading = _LOADINGS[subject.strategy](run, subject, door, options)
            if options.preview:
                states.append(loading.preview())
                continue
            states.append(loading.run_whole())
            checks.append(loading.check(states[-1], options.url))
            run.record_checks(checks)
    return tuple(states)


__all__ = ["upload_all"]
