"""Opens a remote file as a stream that starts after the bytes that are already here.

Web servers are read with `requests`: fsspec's HTTP file system has neither If-Range nor
Retry-After (RFC 9110, sections 10.2.3 and 13.1.5). fsspec reads every other scheme.
"""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import fsspec  # type: ignore[import-untyped]
import requests
from urllib3 import Retry
from urllib3.exceptions import InvalidHeader

SILENCE_S = 60.0
"""Seconds that a web server may take to connect, or between two bytes."""
WEB_PIECE = 1 << 16
"""Bytes in a piece of a web server's file: a broken connection loses at most one piece."""
PIECE = 1 << 20
"""Bytes in a piece of another file; fsspec reads several ahead with one request."""
TEMPORARY_STATUSES = {408, 425, 429}
"""Client errors that are worth another attempt, as every status from 500 up is."""
PERMANENT = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
"""OSErrors that do not go away with time."""


class FetchError(Exception):
    """An attempt to fetch failed.

    Args:
        reason: what happened, as the server or the library words it.
        again: whether another attempt can succeed.
        wait_s: seconds to wait before it, if the server asks for some.
    """

    def __init__(self, reason: str, *, again: bool, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.again, self.wait_s = again, wait_s


class Kept(NamedTuple):
    """The bytes that earlier attempts fetched.

    The version changes with the file, such as its ETag. Without one, it cannot be resumed.
    """

    have: int = 0  # bytes from the start of the file, without a gap
    size: int | None = None  # of the whole file; None if the server did not announce it
    version: str = ""


NOTHING = Kept()


class Stream(NamedTuple):
    """The file, or the rest of it, from the offset `start`.

    That is 0 if the file has changed or the server can send only the whole. Without a size, the
    pieces end with the file. A broken connection ends them early or raises FetchError.
    """

    start: int
    size: int | None
    version: str
    pieces: Iterator[bytes]


def open_stream(address: str, kept: Kept) -> AbstractContextManager[Stream]:
    """Opens an address of any scheme, to resume after the kept bytes.

    Raises:
        FetchError: as `open_web` and `open_filesystem`.
    """
    is_web = urlsplit(address).scheme in ("http", "https")
    return open_web(address, kept) if is_web else open_filesystem(address, kept)


@contextmanager
def open_web(address: str, kept: Kept = NOTHING) -> Iterator[Stream]:
    """Opens an http or https address; the environment sets proxies and passwords (.netrc).

    A server that ignores Range answers 200 with the whole file, and so does one whose file has
    changed (If-Range). If a server answers a range request in any way that does not continue the
    kept bytes, the whole file is requested.

    Raises:
        FetchError: no connection, a status other than 200 and 206, a web page instead of the file
            (a login, a notice), or an answer that cannot be checked: compressed or of unknown
            length.
    """
    response = _get(address, kept if kept.version else NOTHING)
    size = None
    if response.status_code != 200:
        size = _size_if_continued(response, kept)
        if size is None:
            response.close()
            response = _get(address, NOTHING)
    with response:
        if encoding := response.headers.get("Content-Encoding"):
            raise FetchError(f"the server compresses it as {encoding}", again=False)
        if response.headers.get("Content-Type", "").lower().startswith("text/html"):
            raise FetchError("the server sends a web page instead", again=False)
        if size is not None:
            yield Stream(kept.have, size, kept.version, _web_pieces(response))
        else:
            etag = response.headers.get("ETag", "")  # a weak one, W/"…", is no use for ranges
            version = etag if etag.startswith('"') else response.headers.get("Last-Modified", "")
            yield Stream(0, _length(response), version, _web_pieces(response))


def _get(address: str, kept: Kept) -> requests.Response:
    """Returns a response with status 200, or with 206 or 416 if a range was requested."""
    headers = {"Accept-Encoding": "identity"}  # ranges count the bytes as sent
    if kept.have:
        headers |= {"Range": f"bytes={kept.have}-", "If-Range": kept.version}
    try:
        response = requests.get(address, headers=headers, stream=True, timeout=SILENCE_S)
    except (OSError, ValueError) as error:  # requests' own errors are OSErrors
        permanent = isinstance(error, (ValueError, requests.TooManyRedirects))
        permanent = permanent or "CERTIFICATE_VERIFY_FAILED" in str(error)
        raise FetchError(_innermost_reason(error), again=not permanent) from error
    status = response.status_code
    if status == 200 or (status in (206, 416) and kept.have):
        return response
    with response:
        try:
            wait_s = Retry().get_retry_after(response.raw) or 0.0
        except InvalidHeader:
            wait_s = 0.0
        again = status >= 500 or status in TEMPORARY_STATUSES
        reason = f"the server answers {status} {response.reason}"
        raise FetchError(reason, again=again, wait_s=wait_s)


def _size_if_continued(response: requests.Response, kept: Kept) -> int | None:
    """Returns the bytes of the whole file; None if the response does not continue the kept bytes.

    Servers that support Range without If-Range send the rest of a changed file, too: its version
    or its size differs.
    """
    name = "ETag" if kept.version.startswith('"') else "Last-Modified"
    if response.headers.get(name, kept.version) != kept.version:
        return None
    value = response.headers.get("Content-Range", "")
    numbers = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", value)
    if response.status_code != 206 or numbers is None:  # 416: the file is shorter now
        return None
    first, last, size = map(int, numbers.groups())
    return size if first == kept.have <= last < size and kept.size in (None, size) else None


def _length(response: requests.Response) -> int | None:
    """Returns the bytes of the body; None for one in chunks, which marks its own end."""
    if "chunked" in response.headers.get("Transfer-Encoding", "").lower():
        return None
    length = response.headers.get("Content-Length", "")
    if not length.isdecimal():
        reason = f"Content-Length is {length!r}: a truncated file would look complete"
        raise FetchError(reason, again=False)
    return int(length)


def _web_pieces(response: requests.Response) -> Iterator[bytes]:
    try:
        yield from response.iter_content(WEB_PIECE)
    except OSError as error:
        raise FetchError(_innermost_reason(error), again=True) from error


def _innermost_reason(error: BaseException) -> str:
    """Returns the message of the innermost error; requests wraps those of urllib3."""
    inner = getattr(error, "reason", None) or (error.args[0] if error.args else None)
    if isinstance(inner, BaseException):
        return _innermost_reason(inner)
    return str(inner or error) or type(error).__name__


@contextmanager
def open_filesystem(address: str, kept: Kept) -> Iterator[Stream]:
    """Opens an address of any scheme of fsspec: S3, GCS, OSS, this machine's files.

    The version is `ukey`, fsspec's hash of all that the store reports about the file.

    Raises:
        FetchError: unknown scheme, package not installed, no such file, or no permission.
    """
    try:
        system, inner = fsspec.url_to_fs(address)
        system.invalidate_cache()  # the listing of an earlier attempt may be out of date
        info = system.info(inner)
        if info["type"] == "directory":
            raise IsADirectoryError("it is a folder")
        size, version = info.get("size"), system.ukey(inner)
        file = system.open(inner, "rb")
    except Exception as error:  # fsspec's file systems share no base class of errors
        # wrong settings and credentials raise anything, connections an OSError
        again = isinstance(error, OSError) and not isinstance(error, PERMANENT)
        raise FetchError(str(error) or type(error).__name__, again=again) from error
    unchanged = size is not None and (size, version) == (kept.size, kept.version)
    start = kept.have if unchanged else 0
    with file:
        yield Stream(start, size, version, _file_pieces(file, start))


def _file_pieces(file: Any, start: int) -> Iterator[bytes]:
    try:
        file.seek(start)
        while piece := file.read(PIECE):
            yield piece
    except Exception as error:
        again = not isinstance(error, PERMANENT)
        raise FetchError(str(error) or type(error).__name__, again=again) from error
