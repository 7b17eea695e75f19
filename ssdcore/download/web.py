"""Files of web servers: streaming GET with Range and If-Range (RFC 9110, sections 13 to 15)."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

import requests

from ssdcore.download.source import NOTHING, Beginning, FetchError, Stream

SILENCE_S = 60.0
"""Seconds that a server may take to connect, or between two bytes, before it is given up."""
PIECE = 1 << 16
"""Bytes in a piece; at most so many are lost when the connection breaks."""
WORTH_ANOTHER = {408, 425, 429}
"""Statuses of "not now" among those of "not at all"; 500 and above are worth it too."""


@contextmanager
def open_web(address: str, kept: Beginning) -> Iterator[Stream]:
    """Opens an http or https address; proxies and passwords (.netrc) as the environment has them.

    A server that ignores Range answers 200 with the whole file, and so does one whose file has
    changed (If-Range). Where a server heeds Range but not If-Range, the change shows in the mark
    or the size of what it answers.

    Raises:
        FetchError: no connection, a status other than 200 and 206, a web page in place of the
            file (a log-in, a notice), or an answer that can't be checked: packed, of unknown
            length, or of a range that was not asked for.
    """
    if not kept.version:
        kept = NOTHING
    response = _answer(address, kept)
    if kept.have and _is_of_another_file(response, kept):
        response.close()
        kept = NOTHING
        response = _answer(address, kept)
    with response:
        if packing := response.headers.get("Content-Encoding"):
            raise FetchError(f"the server packs it as {packing}", again=False)
        if response.headers.get("Content-Type", "").lower().startswith("text/html"):
            raise FetchError("the server sends a web page instead", again=False)
        version = _version(response)
        if response.status_code == 200:
            yield Stream(0, _length(response), version, _pieces(response))
        else:
            size = _size_in_range(response, kept.have)
            yield Stream(kept.have, size, version or kept.version, _pieces(response))


def _answer(address: str, kept: Beginning) -> requests.Response:
    """Returns a response of 200, 206, or 416 where a range was asked for."""
    headers = {"Accept-Encoding": "identity"}  # ranges count the bytes as sent
    if kept.have:
        headers |= {"Range": f"bytes={kept.have}-", "If-Range": kept.version}
    try:
        response = requests.get(
            address, headers=headers, stream=True, timeout=(SILENCE_S, SILENCE_S)
        )
    except (OSError, ValueError) as error:  # requests' own errors are OSErrors
        lasting = isinstance(error, (ValueError, requests.TooManyRedirects))
        lasting = lasting or "CERTIFICATE_VERIFY_FAILED" in str(error)
        raise FetchError(_reason(error), again=not lasting) from error
    status = response.status_code
    if status in (200, 206) or (status == 416 and kept.have):
        return response
    with response:
        again = status >= 500 or status in WORTH_ANOTHER
        raise FetchError(
            f"the server answers {status} {response.reason}", again=again,
            wait_s=_seconds(response.headers.get("Retry-After", "")),
        )  # fmt: skip


def _is_of_another_file(response: requests.Response, kept: Beginning) -> bool:
    """Says whether an answer to a range does not continue what is kept."""
    if response.status_code != 206:
        return response.status_code == 416  # it is shorter now; 200 is the whole anyway
    mark = response.headers.get("ETag" if kept.version.startswith('"') else "Last-Modified")
    if mark is not None and mark != kept.version:
        return True
    total = response.headers.get("Content-Range", "").rpartition("/")[2]
    return kept.size is not None and total.isdecimal() and int(total) != kept.size


def _version(response: requests.Response) -> str:
    """Returns what If-Range may hold: an ETag that is not weak, or else the time of change."""
    etag = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else response.headers.get("Last-Modified", "")


def _length(response: requests.Response) -> int | None:
    """Returns the body's bytes, None for one that tells its own end."""
    if "chunked" in response.headers.get("Transfer-Encoding", "").lower():
        return None
    length = response.headers.get("Content-Length", "")
    if not length.isdecimal():
        raise FetchError(
            f"Content-Length is {length!r}: a file that breaks off would look whole", again=False
        )
    return int(length)


def _size_in_range(response: requests.Response, start: int) -> int:
    """Returns the whole file's bytes according to Content-Range, which must begin at `start`."""
    said = response.headers.get("Content-Range", "")
    numbers = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", said)
    if numbers:
        first, last, size = map(int, numbers.groups())
        if first == start <= last < size:
            return size
    raise FetchError(f"asked for bytes from {start}, got Content-Range {said!r}", again=True)


def _pieces(response: requests.Response) -> Iterator[bytes]:
    try:
        yield from response.iter_content(PIECE)
    except OSError as error:
        raise FetchError(_reason(error), again=True) from error


def _seconds(retry_after: str) -> float:
    """Returns the seconds that a Retry-After header names, as a number or as a date."""
    if retry_after.isdecimal():
        return float(retry_after)
    try:
        until = parsedate_to_datetime(retry_after)
    except ValueError:  # none, or nonsense
        return 0.0
    if until.tzinfo is None:
        until = until.replace(tzinfo=timezone.utc)
    return max(0.0, (until - datetime.now(timezone.utc)).total_seconds())


def _reason(error: BaseException) -> str:
    """Returns the innermost error's words; requests wraps those of urllib3."""
    inner = getattr(error, "reason", None) or (error.args[0] if error.args else None)
    if isinstance(inner, BaseException):
        return _reason(inner)
    return str(inner or error) or type(error).__name__
