"""Write pages so that a reader never sees half of one, and remember what was made from what."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from dp_stats.files import Put, replace_file

MANIFEST = ".site.json"


def digest(*parts: object) -> str:
    """SHA-256 of the parts' text."""
    hashed = hashlib.sha256()
    for part in parts:
        hashed.update(part if isinstance(part, bytes) else str(part).encode())
        hashed.update(b"\x00")
    return hashed.hexdigest()


class Writer:
    """The pages of one build: written where they differ, kept where their sources did not change, removed when stale.

    A *job* is a group of pages made from the same sources. Its key is a digest of them; a job whose key is
    that of the last build, and whose files are all there, need not run.
    """

    def __init__(self, public: Path, *, incremental: bool, put: Put = replace_file) -> None:
        self.public = public
        self.written = 0
        self.kept = 0
        self.before: dict[str, dict[str, list[str] | str]] = {}
        self.jobs: dict[str, dict[str, list[str] | str]] = {}
        try:
            self.before = json.loads((public / MANIFEST).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self.before = {}
        self.incremental = incremental
        self._put = put
        self._files: list[str] = []

    def due(self, job: str, key: str) -> bool:
        """Start a job (or start it again); False if its pages are there already from equal sources."""
        old = None if job in self.jobs else self.before.get(job)
        files = list(old["files"]) if old else []
        if self.incremental and old and old["key"] == key and all((self.public / f).is_file() for f in files):
            self.jobs[job] = old
            self.kept += len(files)
            return False
        self._files = []
        self.jobs[job] = {"key": key, "files": self._files}
        return True

    def files_of(self, group: str) -> tuple[str, ...]:
        """The files of the jobs of a group (``group`` and ``group/…``), as far as they are made or kept."""
        jobs = [job for name, job in self.jobs.items() if name == group or name.startswith(f"{group}/")]
        return tuple(dict.fromkeys(file for job in jobs for file in job["files"]))

    def fail(self, group: str) -> None:
        """Give up the jobs of a group (``group`` and ``group/…``): pages of the last build stay, and all are due again."""
        for name in {*self.before, *self.jobs}:
            if name == group or name.startswith(f"{group}/"):
                kept = [f for job in (self.before, self.jobs) for f in job.get(name, {}).get("files", ())]
                self.jobs[name] = {"key": "", "files": list(dict.fromkeys(kept))}

    def write(self, path: str, content: str | bytes) -> None:
        """Put one file of the current job in place at once; an equal file is left alone."""
        data = content.encode() if isinstance(content, str) else content
        target = self.public / path
        self._files.append(path)
        if self._put(target, data):
            self.written += 1
        else:
            self.kept += 1

    def finish(self) -> int:
        """Remove pages that no job makes any more, save the manifest, and say how many were removed."""
        now = {file for job in self.jobs.values() for file in job["files"]}
        stale = {file for job in self.before.values() for file in job["files"]} - now
        for file in stale:
            (self.public / file).unlink(missing_ok=True)
        self._put(self.public / MANIFEST, json.dumps(self.jobs, sort_keys=True).encode())
        return len(stale)
