"""This system and its peers on the same events, side by side. See README.md."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
"""The project's directory."""
