"""The English texts, as every test that publishes something needs them."""

from __future__ import annotations

from pathlib import Path

from dp_stats.texts.words import Texts

TEXTS = Texts.load(Path(__file__).resolve().parent.parent / "reports")
