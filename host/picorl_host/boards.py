"""What boards/<NAME>/board.toml says about a board."""

import sys
from dataclasses import dataclass
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "boards"


class UnknownBoard(Exception):
    """There is no such board; the message lists those there are."""


@dataclass(frozen=True)
class Board:
    """A board; `data` is its board.toml, boards/README.md says what the keys mean."""

    name: str
    data: dict

    @property
    def folder(self):
        return FOLDER / self.name

    def get(self, path, default=None):
        """The value at "section.key", or default."""
        here = self.data
        for key in path.split("."):
            if not isinstance(here, dict) or key not in here:
                return default
            here = here[key]
        return here

    def firmware(self, kind=None):
        """Where `make firmware` puts the file that goes onto the board; kind: "stock" or "arena"."""
        return ROOT / "build/firmware" / (f"{self.name}-{kind}" if kind else self.name) / self.data["firmware"]["file"]


def names():
    return sorted(path.parent.name for path in FOLDER.glob("*/board.toml"))


def load(name):
    path = FOLDER / name / "board.toml"
    if not path.exists():
        raise UnknownBoard(f"no board {name!r}, must be one of {', '.join(names())}")
    with path.open("rb") as file:
        return Board(name, tomllib.load(file))
