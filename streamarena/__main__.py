"""`python -m streamarena` is the `streamarena` command."""

from streamarena.cli import main

main()
