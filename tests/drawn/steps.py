"""What is run of a generated catalogue, one step after another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Revising = Literal["format", "method", "late", "correction"]
Kind = Literal["edition", "retract", "rebuild", "anew", "told", "answer"] | Revising
KINDS: tuple[Kind, ...] = tuple(kind for part in get_args(Kind) for kind in (get_args(part) or (part,)))
WHOLE: tuple[Kind, ...] = ("rebuild", "anew", "told")
"""Kinds that are about everything that there is."""


@dataclass(frozen=True)
class Step:
    """What is run: an edition (``yes`` to a new series), a revision of one, or its retraction; lost files made again, pages made
    anew, what the command line tells of everything, or answers from what a release has measured."""

    kind: Kind
    edition: str = ""
    yes: bool = True
