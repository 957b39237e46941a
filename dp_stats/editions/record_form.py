"""The form of a JSON record of an edition: a schema of its own, which whoever reads the record may hold it against."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from typing import Any

from dp_stats.errors import PublishedError


@dataclass(frozen=True)
class RecordForm:
    """What a record must be.

    Attributes:
        file: the record's name in the edition's folder. schema_file: of its JSON Schema, in ``schemas/``.
    """

    file: str
    schema_file: str

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema."""
        text = (resources.files("dp_stats.editions") / "schemas" / self.schema_file).read_text(encoding="utf-8")
        content: dict[str, Any] = json.loads(text)
        return content

    def check(self, record: dict[str, Any]) -> None:
        """Check a record against the schema.

        Raises:
            PublishedError: naming the field that is missing or wrong.
        """
        from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]

        fault = next(iter(Draft202012Validator(self.schema, format_checker=FormatChecker()).iter_errors(record)), None)
        if fault is not None:
            place = ".".join(str(part) for part in fault.absolute_path) or "(whole record)"
            raise PublishedError(
                f"{self.file}: {place} does not fit {self.schema_file} ({fault.validator}). Complete the declarations."
            )
