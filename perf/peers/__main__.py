"""Set the peers up: a virtual environment .venv-peers, and Node packages under .cache/node. Again: nothing to do.

python -m perf.peers
"""

from __future__ import annotations

import sys

from perf.peers import setup

if __name__ == "__main__":
    print(f"python: {setup.python_environment()}")
    print(f"node:   {setup.node_packages() or 'no node or npm here'}")
    sys.exit(0)
