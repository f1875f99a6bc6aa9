"""Read by mypy and pyright, never run: what the prompt catalogue gives is typed as text, and settings are frozen."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_type

from streamarena.prompts import (
    PromptSettings,
    ResponseFormatter,
    SupportPrompts,
    builtin_catalog,
    format_tools,
    read_custom_modes,
    system_prompt,
    tool_definitions,
)

if TYPE_CHECKING:
    from streamarena.prompts import Mode

    def prompts(mode: Mode) -> None:
        settings = PromptSettings(generation="native", mode="code")
        assert_type(system_prompt(settings), str)
        assert_type(ResponseFormatter("classic").tool_denied(), str)
        assert_type(ResponseFormatter("classic").tool_result("x"), str | list[dict[str, object]])
        assert_type(SupportPrompts().enhance("x"), str)
        assert_type(read_custom_modes(), tuple[Mode, ...])
        tools = tool_definitions(builtin_catalog(), settings, mode)
        assert_type(format_tools(tools, "gemini"), list[dict[str, object]])
        PromptSettings(generation="modern")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] # unknown
