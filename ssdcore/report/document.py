"""One HTML file that needs no network: the shared template, style, scripts and policy.

Three measures make hostile names (of classes, files, parameters) harmless: Jinja escapes every
text, charts get theirs through `chart_text` and escaped JSON, and a content security policy
allows only the scripts whose hashes it names and forbids to load anything.
"""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from ssdcore.core.errors import InputError
from ssdcore.core.messages import counted
from ssdcore.report import words
from ssdcore.report.labels import visible

TEMPLATES = Path(__file__).with_name("templates")
"""Folder of templates, styles and scripts: document.* for every page, the others for one each."""
LARGEST_BYTES = 10_000_000  # mail and code hosts accept it, and a phone opens it at once


def render_document(name: str, **values: Any) -> str:
    """Returns `name`.html.jinja, which extends document.html.jinja, as one HTML document.

    Its style and script, `name`.css and `name`.js, follow the shared ones where they exist.

    Raises:
        InputError: the page would be larger than `LARGEST_BYTES`.
    """
    scripts = [Markup(get_plotlyjs()), *_parts(name, "js")]
    page = _environment().get_template(f"{name}.html.jinja").render(
        **values,
        style=Markup("\n").join(_parts(name, "css")),
        scripts=scripts,
        policy=_policy(scripts),
    )  # fmt: skip
    page = page.encode("utf-8", "backslashreplace").decode("utf-8")  # file names may hold bytes
    if (size := len(page.encode("utf-8"))) > LARGEST_BYTES:
        raise InputError(
            "the report's size",
            f"{size / 1e6:.1f} MB",
            f"at most {LARGEST_BYTES / 1e6:g} MB",
            "Show fewer images: lower report.images or evaluate.review",
        )
    return page


def data_url(jpeg: bytes) -> str:
    """Returns an image as a data URL."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "score": words.score, "count": words.count, "percent": words.percent, "jpeg": data_url,
        "visible": visible, "cell": lambda value, column: words.cell(column, value),
        "setting": words.setting, "counted": counted,
    }  # fmt: skip
    environment.tests["defined_figure"] = words.defined
    return environment


def _parts(name: str, ending: str) -> list[Markup]:
    """Returns the shared style or script and the page's own, those that exist."""
    files = [TEMPLATES / f"{part}.{ending}" for part in ("document", name)]
    return [Markup(file.read_text(encoding="utf-8")) for file in files if file.exists()]


def _policy(scripts: Sequence[Markup]) -> str:
    """Returns the content security policy: nothing is loaded, only these scripts run."""
    digests = (hashlib.sha256(script.encode("utf-8")).digest() for script in scripts)
    hashes = " ".join(f"'sha256-{base64.b64encode(digest).decode('ascii')}'" for digest in digests)
    return (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"style-src 'unsafe-inline'; script-src {hashes}"
    )
