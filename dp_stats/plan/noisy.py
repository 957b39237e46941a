"""Noisy measurements: the only thing that leaves the secure side."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dp_stats.errors import LedgerError
from dp_stats.files import sha256
from dp_stats.plan.model import Plan


@dataclass(frozen=True, eq=False)
class NoisyMeasurements:
    """Exact bounded integer answers plus discrete noise, one int64 array per measurement of the plan."""

    plan_hash: str
    values: Mapping[str, NDArray[np.int64]]

    def to_bytes(self) -> bytes:
        """One compressed archive of plain int64 arrays; holds no Python objects."""
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {"plan": np.frombuffer(self.plan_hash.encode(), np.uint8), **self.values}
        np.savez_compressed(buffer, **arrays)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, stored: bytes, *, plan: Plan) -> NoisyMeasurements:
        """Read what ``to_bytes`` wrote and check it against the plan.

        Raises:
            LedgerError: the archive is of another plan, or a table is missing or has another shape.
        """
        try:
            with np.load(io.BytesIO(stored), allow_pickle=False) as archive:
                values = {name: archive[name] for name in archive.files if name != "plan"}
                plan_hash = archive["plan"].tobytes().decode()
        except (ValueError, OSError, KeyError) as error:
            raise LedgerError("The stored measurements cannot be read. Restore the ledger from its backup.") from error
        shapes = {name: array.shape for name, array in values.items()}
        if plan_hash != plan.hash or shapes != {m.id: m.shape for m in plan.tables}:
            raise LedgerError("The stored measurements belong to another plan. Restore the catalogue of that edition.")
        return cls(plan_hash, values)

    @staticmethod
    def checksum(stored: bytes) -> str:
        """SHA-256 of the stored bytes."""
        return sha256(stored)
