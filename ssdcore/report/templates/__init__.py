"""The pages' templates, styles and scripts: document.* for every page, the others for one each."""

from pathlib import Path

FOLDER = Path(__file__).parent
