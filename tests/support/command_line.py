"""Runs `todoku` as an operator would: the real command in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping


def environment(settings: Mapping[str, object]) -> dict[str, str]:
    """This process's environment with these settings (`data_dir=…` becomes TODOKU_DATA_DIR) and no others."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TODOKU_")}
    return inherited | {f"TODOKU_{name.upper()}": str(value) for name, value in settings.items()}


def todoku(*words: str, **settings: object) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, at most 60 s."""
    return subprocess.run(
        [sys.executable, "-m", "deploy.cli", *words],
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def started(*words: str, **settings: object) -> subprocess.Popen[str]:
    """Start a command; its output is the caller's to read and its end the caller's to bring about."""
    return subprocess.Popen(
        [sys.executable, "-m", "deploy.cli", *words],
        env=environment(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
