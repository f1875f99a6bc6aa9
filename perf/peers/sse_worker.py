"""Runs in .venv-peers: for each request line `{"peer", "file", "size"}` it answers `{"characters", "cpu_seconds"}`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from perf.micro.sse_streams import pieces_of
from perf.peers.sse_parsers import PARSERS

for line in sys.stdin:
    request = json.loads(line)
    pieces = pieces_of(Path(request["file"]).read_bytes(), request["size"])
    start = time.process_time()
    characters = PARSERS[request["peer"]](pieces)
    print(json.dumps({"characters": characters, "cpu_seconds": time.process_time() - start}), flush=True)
