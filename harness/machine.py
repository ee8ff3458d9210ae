"""The machine that figures were measured on, for reports."""

import os
import platform
from pathlib import Path


def machine() -> str:
    """Processors and operating system."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "?")
    return f"{os.cpu_count()} × {model}, {platform.system()} {platform.release()}"


def load_average() -> str:
    """Processes that were running or waiting for a processor, averaged over the last minute."""
    return f"{os.getloadavg()[0]:.1f}"
