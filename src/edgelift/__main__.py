"""`python -m edgelift`: the same as the `edgelift` command."""

from edgelift.cli import main

main()
