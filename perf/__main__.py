"""Run measurements: all of them, or those that are named.

python -m perf [--list] [NAME ...] [options of the bench]
"""

from __future__ import annotations

import importlib
import sys

BENCHES: dict[str, tuple[str, str]] = {
    "client": ("perf.macro.client", "client CPU per chunk over real sockets, against other clients"),
    "memory": ("perf.macro.memory", "memory of an open stream, against other clients"),
    "fake-llm": ("perf.macro.fake_llm", "what the fake model server sends from one process"),
    "many": ("perf.macro.many", "3,000 streams in one process on one core: CPU, and how late chunks reach it"),
    "load-truth": (
        "perf.macro.load_truth",
        "a load test's figures and error bars against the server's send stamps",
    ),
    "middleware": ("perf.macro.middleware", "what the ASGI middleware adds to a Starlette stream, per chunk"),
    "tls": ("perf.macro.tls", "memory and CPU of streams over TLS, against the loops and other clients"),
    "sse": ("perf.micro.sse", "events parsed from bytes, against other parsers"),
    "parse-and-decode": ("perf.micro.parse_and_decode", "bytes to typed chunks, against parsing and loading JSON"),
    "prompts": ("perf.micro.prompts", "the prompt catalogue: memory, cold and warm rendering, tool definitions"),
    "decode": ("perf.micro.decode", "events to chunks, and tool arguments in small pieces, against other readers"),
    "pipeline": ("perf.micro.pipeline", "items through stages, against generators, queues and memory streams"),
    "context": ("perf.micro.context", "trimming and deciding over long histories, and model look-ups"),
    "adapters": ("perf.peers.adapters", "CPU per chunk of foreign clients, as they are and over our adapters"),
    "load-testers": ("perf.peers.load", "client CPU of load testers per chunk, against AIPerf, GuideLLM and the floor"),
    "relay": ("perf.peers.relay", "CPU per chunk of relays, first bytes and memory, against nginx and other relays"),
    "trimming": ("perf.peers.trimming", "histories that use tools, against other trimmers: validity and CPU"),
}
"""Each bench: the module, whose `main(arguments)` measures and prints, and what it measures. Order of `make bench`."""


def main(arguments: list[str]) -> int:
    first_option = next((place for place, one in enumerate(arguments) if one.startswith("-")), len(arguments))
    names, rest = arguments[:first_option], arguments[first_option:]
    if rest == ["--list"]:
        for name, (_, about) in BENCHES.items():
            print(f"{name:12} {about}")
        return 0
    if wrong := [name for name in names if name not in BENCHES]:
        print(f"no such bench: {', '.join(wrong)}; see python -m perf --list", file=sys.stderr)
        return 2
    for name in names or BENCHES:
        module, about = BENCHES[name]
        print(f"== {name}: {about}")
        importlib.import_module(module).main(rest)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
