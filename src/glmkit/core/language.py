"""The language that people want messages in."""

import os


def language_of_environment() -> str:
    """zh where the environment asks for Chinese, by the variables that POSIX reads for messages; else en."""
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    chosen = next((value for name in names if (value := os.environ.get(name))), "")
    return "zh" if chosen.lower().startswith("zh") else "en"
