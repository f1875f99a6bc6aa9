"""What the program tells the model about its tool calls, as sentences (classic) and as JSON (native)."""

from streamarena.errors import FileRestrictionError
from streamarena.prompts import ResponseFormatter, Todo, builtin_catalog, builtin_modes, check_tool, todo_reminder


def main() -> None:
    for generation in ("classic", "native"):
        formatter = ResponseFormatter(generation)
        print(f"-- {generation}")
        print(formatter.tool_denied_with_feedback("Not on the production database."))
        print(formatter.unknown_server_error("weather", ["tracker"]))

    architect = builtin_modes(builtin_catalog(), "classic")[0]
    try:
        check_tool("write_to_file", architect, "classic", parameters={"path": "app.js", "content": "..."})
    except FileRestrictionError as error:
        print(f"-- {type(error).__name__}: {error}")
    print(todo_reminder([Todo("Find the slow query", "completed"), Todo("Add the index")]).splitlines()[8])


if __name__ == "__main__":
    main()
