"""Lets ``python -m skmerc`` be the command."""

import sys

from skmerc.cli import main

if __name__ == "__main__":
    sys.exit(main())
