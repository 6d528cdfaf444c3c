"""Exit codes; that of a run which failed is `Failure.exit_code`."""

from archdsl.failure import WrongUsage

SPEC_WRONG = 1
USAGE_WRONG = WrongUsage.exit_code
BUG = 70
INTERRUPTED = 130
