"""Published files, wherever they are: a folder, a web server, or whatever else fsspec knows."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from dp_stats.errors import PublishedError

TIMEOUT = 30.0
"""Seconds to wait for a server."""


class Place:
    """The root of a published site, read file by file. Needs no access but that of any reader."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        self._client: Any = None
        self._files: Any = None

    def __enter__(self) -> Self:
        try:
            if self.address.startswith(("http://", "https://")):
                import httpx

                self._client = httpx.Client(follow_redirects=True, timeout=TIMEOUT)
            else:
                import fsspec

                self._files, self._root = fsspec.core.url_to_fs(self.address)
        except (ValueError, ImportError) as error:
            raise PublishedError(f"{self.address} is no address that can be read here: {error}") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            self._client.close()

    def read(self, path: str) -> bytes | None:
        """The content of a file, by its path below the root; None if there is none.

        Raises:
            PublishedError: the place cannot be reached.
        """
        if self._client is not None:
            return self._get(path)
        try:
            return bytes(self._files.cat_file(f"{str(self._root).rstrip('/')}/{path}"))
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except Exception as error:  # every object store raises errors of its own
            raise self._unreachable(type(error).__name__) from error

    def _get(self, path: str) -> bytes | None:
        import httpx

        try:
            answer = self._client.get(f"{self.address}/{quote(path)}")
        except httpx.HTTPError as error:
            raise self._unreachable(type(error).__name__) from error
        if answer.status_code in (403, 404, 410):  # object stores say 403 of what is not there
            return None
        if answer.status_code != 200:
            raise self._unreachable(f"status {answer.status_code}")
        return bytes(answer.content)

    def _unreachable(self, why: str) -> PublishedError:
        return PublishedError(f"{self.address} cannot be read ({why}). Check the address, then try again.")
