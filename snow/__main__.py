"""`python -m snow`: the same command line as `snow`, used when a job moves into another locked environment."""

from snow.cli import main

raise SystemExit(main())
