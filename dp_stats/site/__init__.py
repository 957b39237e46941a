"""The public site: static pages and charts, made from the edition folders alone."""

from dp_stats.site.builder import Built, Rough, build, build_for

__all__ = ["Built", "Rough", "build", "build_for"]
