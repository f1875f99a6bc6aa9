"""Runs in .venv-peers: for each request line `{"client", "url", "streams"}` it answers what that took.

`{"chunks", "cpu_seconds", "resident_bytes"}`: chunks with text seen, CPU of this process for all streams without the
connections' opening being left out, and the growth of resident memory while all streams were open (0 if not asked for).
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from perf.peers.stream_clients import run

for line in sys.stdin:
    request = json.loads(line)
    before = resource.getrusage(resource.RUSAGE_SELF)
    start = time.process_time()
    chunks = run(request["client"], request["url"], request["streams"])
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before.ru_maxrss
    print(json.dumps({"chunks": chunks, "cpu_seconds": seconds, "resident_bytes": peak * 1024}), flush=True)
