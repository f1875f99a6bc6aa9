"""Trim a history that uses tools: what is left is always valid, or an error says how much it would need."""

from streamarena.context import CannotFitError, Message, TokenCounter, trim_messages

CALL = {"id": "call_1", "type": "function", "function": {"name": "read_file", "arguments": '{"path": "notes.txt"}'}}
HISTORY: list[Message] = [
    {"role": "system", "content": "You are brief."},
    {"role": "user", "content": "What is in notes.txt?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": "buy milk and bread " * 50},
    {"role": "assistant", "content": "A shopping list."},
    {"role": "user", "content": "Is there milk on it?"},
]


def main() -> None:
    counter = TokenCounter()  # o200k_base where it is installed, else an estimate that says so
    print("whole:", sum(map(counter, HISTORY)), "tokens, exact:", counter.exact)
    for budget in (2000, 60, 10):
        try:
            done = trim_messages(HISTORY, max_tokens=budget, counter=counter)
        except CannotFitError as error:
            print(f"{budget}: {error}")
            continue
        print(f"{budget}: kept {[m['role'] for m in done.messages]}, {done.tokens} tokens, dropped {done.dropped}")


if __name__ == "__main__":
    main()
