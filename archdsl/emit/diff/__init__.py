"""What changed between two networks, layer by layer: as text, as data, as a diagram."""

from archdsl.emit.diff.changes import Diff, diff
from archdsl.emit.diff.data import to_json
from archdsl.emit.diff.text import text

__all__ = ["Diff", "diff", "text", "to_json"]
