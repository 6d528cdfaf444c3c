"""The command line: options in, one call, output out.

Exit codes: 0 good, 1 the spec is wrong, 2 wrong usage, 3 the run failed, 130 Ctrl-C, 70 our bug.
"""

from archdsl.cli.commands import app
from archdsl.cli.process import main, run
from archdsl.cli.specs import diagnostics_of

__all__ = ["app", "diagnostics_of", "main", "run"]
