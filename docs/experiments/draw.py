"""Draws the figures of the experiments from the numbers that lie beside them, without running anything again.

python docs/experiments/draw.py                  all of them
python docs/experiments/draw.py blimp modern     some
"""

import argparse
import importlib
from pathlib import Path

NAMES = ("objectives", "understanding", "writing", "modern", "blimp", "precision", "milliseconds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}")
    options = parser.parse_args()
    for name in options.names or NAMES:
        importlib.import_module(name).redraw(Path(__file__).parent)


if __name__ == "__main__":
    main()
