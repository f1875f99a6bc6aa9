"""Prepare a whole request body: broken tool pairs are mended, what does not fit goes, and a report says so."""

from typing import Any

from streamarena.context import prepare_request

CALL = {"id": "call_1", "type": "function", "function": {"name": "search", "arguments": "{}"}}
BODY: dict[str, Any] = {
    "model": "gpt-4o",
    "stream": True,
    "max_tokens": 500,
    "messages": [
        {"role": "system", "content": "You are brief."},
        *({"role": role, "content": "long talk " * 80} for _ in range(20) for role in ("user", "assistant")),
        {"role": "user", "content": "Search for it."},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "user", "content": "Never mind, what do you think?"},
    ],
}


def main() -> None:
    prepared = prepare_request(BODY, max_input_tokens=1500)
    report = prepared.report
    print(f"{len(BODY['messages'])} messages in, {len(prepared.body['messages'])} out, {report.tokens} tokens")
    print("mended:", [(repair.index, repair.kind) for repair in report.repairs])
    print("other keys are kept:", {key: prepared.body[key] for key in ("model", "stream", "max_tokens")})
    short = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}
    print("a body that needs nothing is the same object:", prepare_request(short).body is short)


if __name__ == "__main__":
    main()
