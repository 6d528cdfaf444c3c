"""The C library's memory in training on a CPU."""

from __future__ import annotations

import ctypes
import platform

# mallopt's numbers (malloc.h).
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_NEVER = 2**31 - 1


def keep_freed() -> None:
    """What one step frees stays with the process for the next one, in glibc; elsewhere nothing changes.

    glibc gives each large activation back to the system when it is freed, which then zeroes every page of the next
    one: a tenth to a third of a training step. The process's peak grows by 0 to 15 %.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_MMAP_MAX, 0)
    libc.mallopt(_TRIM_THRESHOLD, _NEVER)
