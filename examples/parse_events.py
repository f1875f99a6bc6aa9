"""Server-sent events arrive cut anywhere; the parser puts them together and says whether the last one was cut short."""

from streamarena.sse import SSEParser, encode_comment, encode_event

STREAM = b"".join(
    [
        encode_event('{"delta": "caf\u00e9"}', event="delta", id="1"),
        encode_comment("keep-alive"),
        encode_event('{"delta": " open"}', event="delta", id="2"),
        b'event: delta\ndata: {"del',  # the connection ends here
    ]
)


def main() -> None:
    comments: list[str] = []
    parser = SSEParser(on_comment=comments.append)
    for start in range(0, len(STREAM), 7):
        for event in parser.feed(STREAM[start : start + 7]):
            print(f"{event.event} {event.id}: {event.json()['delta']!r}")
    print(f"comments: {comments}")
    if parser.close():
        print(f"cut short; a reconnection would send Last-Event-ID: {parser.last_event_id}")


if __name__ == "__main__":
    main()
