"""``python -m neurognode``: the command line, where the script is not on the path."""

from __future__ import annotations

from neurognode.cli import main

main()
