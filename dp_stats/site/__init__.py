"""The public site: static pages and charts, made from the edition folders alone."""

from dp_stats.site.builder import Built, build

__all__ = ["Built", "build"]
