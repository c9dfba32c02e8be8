"""Client of the hosted model, in the shape of Replicate's predictions API."""

from __future__ import annotations

import time
from collections.abc import Sequence

import requests

PENDING = {"starting", "processing"}
POLL_EVERY_S = 0.2


class HostedModelError(Exception):
    """The hosted model did not give scores: it is slow, down, or refused."""


class HostedModel:
    def __init__(self, base_url: str, token: str, version: str, timeout_s: float) -> None:
        self.base_url = base_url.rstrip("/")
        self.version = version
        self.timeout_s = timeout_s
        self._headers = {"Authorization": f"Bearer {token}", "Prefer": "wait"}

    @property
    def name(self) -> str:
        return f"replicate/{self.version}"

    def score(self, rows: Sequence[Sequence[float]]) -> list[float]:
        """Return one score in [0, 1] for each row; raises HostedModelError."""
        deadline = time.monotonic() + self.timeout_s
        prediction = self._send(
            "POST",
            f"{self.base_url}/v1/predictions",
            deadline,
            {"version": self.version, "input": {"rows": [list(row) for row in rows]}},
        )
        while prediction.get("status") in PENDING:
            if time.monotonic() + POLL_EVERY_S > deadline:
                raise HostedModelError("the prediction was not ready in time")
            time.sleep(POLL_EVERY_S)
            prediction = self._send("GET", prediction["urls"]["get"], deadline)
        if prediction.get("status") != "succeeded":
            raise HostedModelError(
                f"prediction {prediction.get('status')}: {prediction.get('error')}"
            )
        return self._read_scores(prediction, len(rows))

    def _send(self, method: str, url: str, deadline: float, body: dict | None = None) -> dict:
        try:
            response = requests.request(
                method,
                url,
                json=body,
                headers=self._headers,
                timeout=max(deadline - time.monotonic(), 0.1),
            )
            response.raise_for_status()
            return response.json()
        except (requests.RequestException, ValueError) as error:
            raise HostedModelError(f"{type(error).__name__}: {error}") from error

    @staticmethod
    def _read_scores(prediction: dict, expected: int) -> list[float]:
        try:
            scores = [float(score) for score in prediction["output"]["scores"]]
        except (KeyError, TypeError, ValueError) as error:
            raise HostedModelError(f"unexpected output: {error!r}") from error
        if len(scores) != expected or not all(0.0 <= score <= 1.0 for score in scores):
            raise HostedModelError("unexpected output: wrong number or range of scores")
        return scores
