"""Read a tool call's arguments while they are still coming, and check them before running anything."""

from streamarena.errors import ToolCallError
from streamarena.providers import FinishChunk, ToolCallAssembler, ToolCallPartialChunk, parse_call

SCHEMA = {
    "properties": {"path": {"type": "string"}, "line": {"type": "integer"}},
    "required": ["path", "content"],
}
PIECES = ('{"path": "hel', 'lo.py", "line": "1', '2", "cont', 'ent": "print(1)', '\\n"}')


def main() -> None:
    assembler = ToolCallAssembler()
    assembler.feed(ToolCallPartialChunk(0, "call_1", "write_to_file"))
    for piece in PIECES:
        assembler.feed(ToolCallPartialChunk(0, arguments=piece))
        print("so far:", assembler.arguments("call_1"))
    assembler.feed(FinishChunk("tool_calls"))

    [call] = assembler.calls
    print("checked:", parse_call(call, SCHEMA).arguments)
    try:
        parse_call(call, {"required": ["mode"]})
    except ToolCallError as error:
        print("refused:", error)


if __name__ == "__main__":
    main()
