"""Make what speaks of all releases from those with which it can be made, and name the others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


def without_failing(names: Collection[str], make: Callable[[Collection[str]], T]) -> tuple[T, dict[str, str]]:
    """``make(names)``, or if that fails, without the names that fail alone, which are given with what they failed with.

    Raises:
        Exception: whatever ``make`` raised, if no name fails alone, or the others fail together.
    """
    try:
        return make(names), {}
    except Exception:
        failed = {}
        for name in names:
            try:
                make([name])
            except Exception as error:
                failed[name] = said(error)
        if not failed:
            raise
        return make([name for name in names if name not in failed]), failed


@contextmanager
def noted(failed: dict[str, str], name: str, *, isolate: bool) -> Iterator[None]:
    """Whatever fails within is noted in ``failed`` under ``name``, and others go on; not ``isolate``: it is raised."""
    try:
        yield
    except Exception as error:
        if not isolate:
            raise
        failed[name] = said(error)


def of_each(releases: Mapping[str, T], write: Callable[[str, T], int], *, isolate: bool) -> tuple[int, dict[str, str]]:
    """How many files ``write`` has written for all releases; and of those that failed the id and why (see ``noted``)."""
    written = 0
    failed: dict[str, str] = {}
    for id, one in releases.items():
        with noted(failed, id, isolate=isolate):
            written += write(id, one)
    return written, failed


def said(error: Exception) -> str:
    """What an error says, with its kind."""
    return f"{type(error).__name__}: {error}"
