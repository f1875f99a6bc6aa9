"""A system prompt and its tools for one mode: one shared copy, however many requests ask for it."""

from dataclasses import replace

from streamarena.prompts import (
    PromptSettings,
    builtin_catalog,
    format_tools,
    settings_mode,
    system_prompt,
    tool_definitions,
)


def main() -> None:
    settings = PromptSettings(generation="native", mode="debug", workspace="/home/ana/shop", index=True)
    prompt = system_prompt(settings)
    print(prompt[: prompt.index(".") + 1])
    print(f"{len(prompt)} characters; the same object again: {system_prompt(replace(settings)) is prompt}")

    tools = tool_definitions(builtin_catalog(), settings, settings_mode(settings))
    body = {
        "model": "m",
        "tools": format_tools(tools, "openai-chat"),
        "messages": [{"role": "system", "content": prompt}],
    }
    print(f"{len(tools)} tools beside it, the first is {tools[0].name}; a request body with {', '.join(body)}")


if __name__ == "__main__":
    main()
