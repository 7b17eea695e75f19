"""A hook of MkDocs: README.md as the home page, and a page for each package of ssdcore."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PACKAGES = sorted(path.parent.name for path in (ROOT / "ssdcore").glob("*/__init__.py"))
AFTER_DOCUMENTS = "---\nsearch:\n  boost: 0.1\n---\n\n"
"""Lists a page below the documents where the search finds both."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Adds the packages to the navigation."""
    assert config.nav is not None
    config.nav.append({"Library": [f"api/{name}.md" for name in PACKAGES]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that no file in docs/ holds."""
    files.append(File.generated(config, "index.md", content=home()))
    for name in PACKAGES:
        content = f"{AFTER_DOCUMENTS}# ssdcore.{name}\n\n::: ssdcore.{name}\n"
        files.append(File.generated(config, f"api/{name}.md", content=content))
    return files


def home() -> str:
    """Returns README.md as a page in docs/, without its diagram, which needs a remote script."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    text = re.sub(r"^```mermaid\n.*?^```\n", "", text, flags=re.MULTILINE | re.DOTALL)
    return text.replace("](docs/", "](")
