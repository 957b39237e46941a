"""Which engines prove that they answer as DuckDB does: those that are worked with, or one that is named.

``TRY_ENGINE=module:function pytest tests/property/test_in_place_values.py tests/property/test_bound_engines.py`` runs all of
these tests on the engine that ``function()`` opens, and on no other. It yields once, like ``duckdb`` below: a function that
takes an Arrow table and returns the Ibis backend, and the table as that backend has it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import count
from typing import Any

import ibis
import pyarrow as pa
import pytest

Load = Callable[[pa.Table], tuple[ibis.BaseBackend, ibis.Table]]
NAMED = os.environ.get("TRY_ENGINE", "")
SPARK = pytest.param("spark", marks=pytest.mark.skipif(shutil.which("java") is None, reason="PySpark needs Java"))


def engines(*known: Any) -> list[Any]:
    """What a test is run on: the ``known`` ones, as names of fixtures."""
    return ["named"] if NAMED else [*known]


def named() -> Iterator[Load]:
    """The engine that is named."""
    module, _, function = NAMED.partition(":")
    opened: Iterator[Load] = getattr(import_module(module), function)()
    return opened


def duckdb() -> Iterator[Load]:
    """An example: DuckDB, by name."""
    backend, numbers = ibis.duckdb.connect(":memory:", threads=1), count()
    backend.raw_sql("SET TimeZone = 'UTC'")
    yield lambda rows: (backend, backend.create_table(f"rows_{next(numbers)}", rows))
    backend.disconnect()
