"""From estimates to what the public gets: files, metadata, feeds and pages."""

from dp_stats.editions.edition import Edition
from dp_stats.editions.publication import PublishedEdition, publish_edition
from dp_stats.editions.retracting import retract
from dp_stats.editions.verify import verify_public

__all__ = ["Edition", "PublishedEdition", "publish_edition", "retract", "verify_public"]
