"""Copy-on-write: many requests share one message history, and only the one that writes gets a copy."""

from streamarena.memory import CopyOnWrite


def main() -> None:
    history = CopyOnWrite([{"role": "user", "content": [{"type": "text", "text": "Hello"}]}])
    retry = history.share()  # nothing is copied
    print("shared:", retry.shares_with(history), "- unique:", history.is_unique)

    messages = retry.edit()  # the first write copies, nested containers too
    messages.append({"role": "assistant", "content": [{"type": "text", "text": "Hi"}]})
    print(len(history.value), "message and", len(retry.value), "messages")

    retry.edit()[0]["content"] = []  # the second write does not copy
    print(history.value[0]["content"], "is untouched; unique again:", history.is_unique)


if __name__ == "__main__":
    main()
