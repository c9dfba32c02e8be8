"""What moving a database would take, from rates measured on its own data: a plan on paper."""

from __future__ import annotations

import msgspec


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured: bytes are those of the wire; CPU is this side's, of one core.

    The values are for `rows` mean rows, from `measured_rows` that were copied.
    `stream_s` is the time one connection took, waiting for the server included; `again_cpu_s` the
    Python engine's, for one chunk of those measured.
    """

    rows: int
    wire_bytes: int
    stream_s: float
    load_cpu_s: float
    merge_cpu_s: float
    verify_cpu_s: float
    again_cpu_s: float
    again_rows: int
    file_bytes: int
    measured_rows: int = 0

    def scale(self, total: float, measured: float) -> float:
        """Return a measured time, extended from the measured rows to `total` rows."""
        return measured * total / max(1, self.rows)


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A move of so many rows: CPU hours by part, wall hours by cores, what D1 has to take.

    `network_bytes` cross from the server to the readers. Hours by cores hold where the server keeps
    up, never less than `one_writer_h`: what the one process takes that merges and verifies.
    """

    title: str
    rows: int
    file_bytes: int
    network_bytes: int
    load_cpu_h: float
    merge_cpu_h: float
    verify_cpu_h: float
    again_cpu_h: float
    one_stream_h: float
    one_writer_h: float
    hours_by_cores: dict[int, float]
    network_h_by_gbit: dict[int, float]
    databases: int
    import_files: int
    limit_bytes: int

    @property
    def cpu_h(self) -> float:
        """Return all CPU hours."""
        return self.load_cpu_h + self.merge_cpu_h + self.verify_cpu_h + self.again_cpu_h


class PaperPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The plan of one database: what was measured where, what it and 10 TB would take."""

    database: str
    measured_at: str
    rates: Rates
    estimates: tuple[Estimate, ...]
    shards: tuple[str, ...] = ()
