"""`python -m glmkit` is `glmkit`."""

import sys

from glmkit.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
