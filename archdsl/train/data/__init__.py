"""Data sets by name, folder or plugin, and the batches that they give."""

from __future__ import annotations

from archdsl.train.data.batches import Batches
from archdsl.train.data.facts import Facts, facts, lasting
from archdsl.train.data.open import ROOT, Getting, batches, open_data
from archdsl.train.data.pipeline import Pipeline
from archdsl.train.data.split import Data, Files, Pictures, Pixels, Split

__all__ = [
    "ROOT",
    "Batches",
    "Data",
    "Facts",
    "Files",
    "Getting",
    "Pictures",
    "Pipeline",
    "Pixels",
    "Split",
    "batches",
    "facts",
    "lasting",
    "open_data",
]
