"""Do literally what the Tips of refused findings say, as a user who knows nothing else would."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomlkit

_CAST = re.compile(r"\[\[schema\.cast\]\] (?P<place>.+?), as = (?P<forms>'\w+'(?: or '\w+')*)")
_EXCLUDE = re.compile(r"\[schema\] exclude = (\[.+?\])")
_MOST_ROUNDS = 8


@dataclass
class Mover:
    """Moves a URL into a folder by the command, again and again until nothing is refused.

    `prefers` are forms of casts in the order in which they are taken where a Tip names several.
    `followed` says for each rule what was done about it, `said` all that was refused.
    """

    url: str
    folder: Path
    prefers: tuple[str, ...] = ("text", "null")
    casts: list[dict[str, str]] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    followed: dict[str, list[str]] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    @property
    def target(self) -> Path:
        return self.folder / ".edgelift" / "data" / "target" / "main.sqlite"

    @property
    def mapping(self) -> dict[str, Any]:
        text = (self.folder / ".edgelift" / "schema" / "mapping.json").read_text()
        return json.loads(text)[0]

    def run(self, *options: str) -> subprocess.CompletedProcess[str]:
        words = [word for rule in self.accepted for word in ("--accept", rule)]
        return subprocess.run(
            [sys.executable, "-m", "edgelift", "move", self.url, "--to", str(self.folder),
             "--json", *words, *options],
            capture_output=True, text=True, check=False, env=os.environ.copy(),
        )  # fmt: skip

    def run_until_moved(self, *options: str) -> dict[str, Any]:
        """Return the outcome of the run that moved; fails when a Tip leads nowhere."""
        for _ in range(_MOST_ROUNDS):
            done = self.run(*options)
            assert "Traceback" not in done.stderr, done.stderr
            if done.returncode != 3:
                assert done.returncode == 0, done.stderr + done.stdout[-3000:]
                return json.loads(done.stdout)
            assert not self.target.exists()
            outcome = read_outcome(done.stdout)
            before = self._count()
            found = [f for f in outcome["findings"] if f["level"] == "error" and not f["accepted"]]
            self._follow(found)
            assert self._count() > before, done.stderr
            self._write()
        raise AssertionError(f"still refused after {_MOST_ROUNDS} rounds: {done.stderr}")

    def _count(self) -> int:
        return len(self.casts) + len(self.accepted) + len(self.excluded)

    def _follow(self, findings: list[dict[str, Any]]) -> None:
        """Take the casts that Tips show, one for each column, and accept the rules of the rest."""
        casts: dict[str, list[str]] = {}
        for finding in findings:
            tip, rule = finding["tip"], finding["rule"]
            self.said.append(finding["message"])
            found = _CAST.search(tip)
            out = _EXCLUDE.search(tip)
            done = found or out
            self.followed.setdefault(rule, []).append(done[0] if done else "accepted")
            if out:
                self.excluded += tomllib.loads(f"exclude = {out[1]}")["exclude"]
            elif found:
                forms = re.findall(r"'(\w+)'", found["forms"])
                before = casts.get(found["place"], forms)
                casts[found["place"]] = [form for form in before if form in forms]
            else:
                assert "accept the rule" in tip, finding
                self.accepted += [rule] if rule not in self.accepted else []
        for place, forms in casts.items():
            assert forms, f"no form serves all that is said about {place}"
            form = min(forms, key=lambda f: self.prefers.index(f) if f in self.prefers else 99)
            cast = tomllib.loads(f"cast = {{ {place}, as = '{form}' }}")["cast"]
            assert cast not in self.casts, f"followed already, without effect: {findings}"
            self.casts.append(cast)

    def _write(self) -> None:
        path = self.folder / "edgelift.toml"
        document = tomlkit.parse(path.read_text())
        document["schema"] = {"cast": self.casts, "exclude": self.excluded}
        path.write_text(tomlkit.dumps(document))


def read_outcome(text: str) -> dict[str, Any]:
    """Return the outcome from what `--json` printed, which an error wraps."""
    found = json.loads(text)
    return found.get("outcome", found)
