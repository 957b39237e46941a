"""From estimates to what the public gets: files, metadata, feeds and pages."""

from dp_stats.publish.edition import Edition
from dp_stats.publish.publication import PublishedEdition, publish_edition
from dp_stats.publish.revisions import retract
from dp_stats.publish.verify import verify_public

__all__ = ["Edition", "PublishedEdition", "publish_edition", "retract", "verify_public"]
