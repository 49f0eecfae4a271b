"""Runs a command, draws what it prints as a terminal would show it, and says how long it took.

python docs/gallery/terminal.py OUT.svg [--lines N] -- glmkit info demo
"""

import argparse
import io
import re
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from glmkit.core.files import write_text

_COLUMNS = 100
# rich's own frame, without the fonts that it would fetch from elsewhere.
_FRAME = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: "DejaVu Sans Mono", Menlo, Consolas, "Noto Sans Mono CJK SC", monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--lines", type=int, default=30, help="the last so many lines")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    began = time.monotonic()
    shell = len(options.command) == 1
    command = options.command[0] if shell else options.command
    done = subprocess.run(
        command, shell=shell, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    seconds = time.monotonic() - began
    console = Console(record=True, width=_COLUMNS, file=io.StringIO(), highlight=False)
    console.print(Text(f"$ {' '.join(options.command)}", style="bold"))
    for line in done.stdout.splitlines()[-options.lines :]:
        console.print(Text(line))
    svg = console.export_svg(title="", theme=MONOKAI, code_format=_FRAME, unique_id=options.out.stem)
    # rich reckons a Chinese character as wide as a Latin one; fonts know better.
    write_text(options.out, re.sub(r' textLength="[\d.]+"', "", svg))
    print(f"{seconds:.1f} s; {options.out}")
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
