"""The rows of the period where they are, as quality checks look at them: through aggregates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dp_stats.catalogue.models import Dataset
from dp_stats.catalogue.periods import Period
from dp_stats.quality import DatabaseTable, SparkTable
from dp_stats.secure.in_place.pinning import read_pointer
from dp_stats.secure.postgres_source import database_url
from dp_stats.settings import Settings


@contextmanager
def rows_to_check(
    pointer: Path, dataset: Dataset, period: Period, *, settings: Settings
) -> Iterator[DatabaseTable | SparkTable]:
    """All rows dated in the period, unreadable values null: a view in the database, or a frame on the cluster.

    Raises:
        SourceError: there are none, or they cannot be reached.
    """
    assert dataset.source is not None
    kept = read_pointer(pointer)
    if dataset.source.kind != "parquet":
        url = database_url(dataset.source).set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)
        yield DatabaseTable(url, kept.within, kept.in_period, tuple(dataset.columns))
        return
    from dp_stats.secure.in_place.session import explained, place_of
    from dp_stats.secure.in_place.spark import open_spark

    place = place_of(dataset.source)
    session = open_spark(dataset.source, place, settings=settings)
    try:
        frame = explained(place, lambda: session.inside(kept, dataset, period))
        yield SparkTable(frame, tuple(dataset.columns))
    finally:
        session.close()
