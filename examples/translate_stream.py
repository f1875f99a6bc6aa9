"""Translate a stream from one API to another: Anthropic's events in, OpenAI's chat events out."""

from streamarena.providers import Chunk, FinishChunk, StartChunk, TextChunk, UsageChunk, decoder_for, encoder_for
from streamarena.sse import SSEParser

ANSWER: list[Chunk] = [
    StartChunk("msg_1", "claude-sonnet-4-5", "assistant"),
    TextChunk("Good "),
    TextChunk("day."),
    FinishChunk("stop"),
    UsageChunk(input_tokens=9, output_tokens=3),
]


def main() -> None:
    upstream = encoder_for("anthropic")
    received = upstream.encode(ANSWER) + upstream.finish()  # what a server would have sent

    decoder, encoder = decoder_for("anthropic"), encoder_for("openai-chat", created=1_760_000_000)
    for event in SSEParser().feed(received):
        print(encoder.encode(decoder.decode(event)).decode(), end="")
    if decoder.complete:  # a stream that was cut must not look done
        print(encoder.finish().decode(), end="")


if __name__ == "__main__":
    main()
