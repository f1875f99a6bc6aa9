"""Keep a long conversation: totals as it grows, snapshots that share everything, and a file that appears whole."""

import tempfile
from pathlib import Path

from streamarena.context import MessageHistory, TokenCounter, trim_messages


def main() -> None:
    history = MessageHistory(counter=TokenCounter())
    for number in range(5000):
        history.append({"role": ("user", "assistant")[number % 2], "content": f"message {number}"})
    print(len(history), "messages,", history.tokens, "tokens, each counted once")

    with history.snapshot() as snapshot:  # a background job reads this while the conversation goes on
        history.append({"role": "user", "content": "one more"})
        history.replace(0, {"role": "user", "content": "edited"})
        print("snapshot:", len(snapshot), snapshot[0]["content"], "| history:", len(history), history[0]["content"])

    request = trim_messages(history, max_tokens=100, counter=history.counted())
    print("to send:", len(request.messages), "messages,", request.tokens, "tokens")

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.jsonl"
        history.save(path)
        print("loaded again:", len(MessageHistory.load(path)))


if __name__ == "__main__":
    main()
