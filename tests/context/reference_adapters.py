"""One function for each group of reference vectors: from its `args` to a result in the recording's form."""

from __future__ import annotations

import re

from streamarena.context import ModelInfo, OutputSettings, TokenCounter, max_output_tokens
from streamarena.context.cline import cline_messages, cline_window, next_truncation_range
from streamarena.context.output import (
    compress_terminal_output,
    fold_repeated_lines,
    process_backspaces,
    process_carriage_returns,
    truncate_output,
)
from streamarena.context.overflow import is_context_window_error
from streamarena.context.pairing import validate_tool_results
from streamarena.context.repetition import ToolRepetitionDetector
from streamarena.context.shaping import merge_consecutive_messages, remove_image_blocks
from streamarena.context.texts import marker
from streamarena.providers.tags import TagMatcher
from tests.context.reference_condense import CONDENSE, without_fixed_texts
from tests.context.reference_window import WINDOW, index_of

NEEDS_VOCABULARY = {"count_tokens"}
COMPARABLE = {"summarize_native": without_fixed_texts}


def max_output(args):
    model = args["model"]
    info = ModelInfo(
        id=args["modelId"],
        context_window=model.get("contextWindow"),
        max_output_tokens=model.get("maxTokens"),
        supports_reasoning_budget=bool(model.get("supportsReasoningBudget")),
        required_reasoning_budget=bool(model.get("requiredReasoningBudget")),
    )
    return [
        max_output_tokens(
            info, settings(case.get("settings") or {}), api_format=case.get("format"), generation=args["generation"]
        )
        for case in args["cases"]
    ]


def settings(values):
    return OutputSettings(
        api_provider=values.get("apiProvider"),
        enable_reasoning=values.get("enableReasoningEffort"),
        model_max_tokens=values.get("modelMaxTokens"),
        claude_code_max_output_tokens=values.get("claudeCodeMaxOutputTokens"),
    )


def tool_results(args):
    message = args["user_message"]
    done = validate_tool_results(message, args["history"], missing_text="<notice:tool_interrupted>")
    names = {"missing": "MissingToolResultError", "mismatch": "ToolResultIdMismatchError"}
    reported = []
    for issue in done.issues:
        counts = {"toolUseCount": len(issue.call_ids), "toolResultCount": len(issue.result_ids)}
        fields = (
            {"missingToolUseIds": list(issue.missing_calls), "existingToolResultIds": list(issue.result_ids)}
            if issue.kind == "missing"
            else {"toolResultIds": list(issue.result_ids), "toolUseIds": list(issue.call_ids)}
        )
        reported.append({"name": names[issue.kind], **fields, **counts})
    return {"same_object": done.message is message, "message": done.message, "reported": reported}


def merge(args):
    messages = args["messages"]
    options = {"roles": set(args["roles"])} if args.get("roles") is not None else {}
    merged = merge_consecutive_messages(messages, **options)
    out = []
    for message in merged:
        index = index_of(messages, message)
        out.append({"merged": message} if index is None else {"index": index})
    return {"same_list_object": merged is messages, "messages": out}


def images(args):
    return {
        "messages": remove_image_blocks(
            args["messages"], args["supportsImages"], placeholder="<notice:image_placeholder>"
        )
    }


def repetition(generation):
    def run(args):
        limit = {} if args["limit"] == "default" else {"limit": args["limit"]}
        detector = ToolRepetitionDetector(generation=generation, **limit)
        return [verdict(detector.allows(c["name"], c["params"], c.get("nativeArgs")), c) for c in args["calls"]]

    return run


def verdict(allowed, call):
    if allowed:
        return {"allowExecution": True}
    return {
        "allowExecution": False,
        "messageKey": "mistake_limit_reached",
        "detail_key": "tools:toolRepetitionLimitReached",
        "detail_params": {"toolName": call["name"]},
    }


class APIError(Exception):
    """Stands in for the SDK's class, which is recognised by its name."""


def window_error(args):
    if args["kind"] == "value":
        error = args["value"]
    elif args["kind"] == "error_with_name":
        error = {key: value for key, value in args.items() if key != "kind"}
    else:
        error = APIError()
        for key, value in args["fields"].items():
            setattr(error, key, value)
    return {name: is_context_window_error(error, generation=name) for name in ("classic", "native")}


COUNTERS = {name: TokenCounter(generation=name) for name in ("classic", "native")}


def count(args):
    return {name: counter.count_blocks(args["blocks"]) for name, counter in COUNTERS.items()}


MARKERS = [
    (re.escape(marker("characters_omitted", count=12345)), "chars_omitted"),
    (re.escape(marker("lines_omitted", count=12345)), "lines_omitted"),
    (re.escape(marker("line_repeated", count=12345)), "line_repeated"),
]


def placeholders(text):
    for pattern, name in MARKERS:
        text = re.sub(pattern.replace("12345", r"(\d+)"), rf"<notice:{name}:\1>", text)
    try:
        text.encode()
    except UnicodeEncodeError:
        data = text.encode("utf-16-le", "surrogatepass")
        return {"utf16_units": list(memoryview(data).cast("H"))}
    return text


def text_in(value):
    if isinstance(value, dict):
        return b"".join(unit.to_bytes(2, "little") for unit in value["utf16_units"]).decode(
            "utf-16-le", "surrogatepass"
        )
    return value


def compress(args):
    options = {"line_limit": args["lineLimit"]} if "lineLimit" in args else {}
    if "characterLimit" in args:
        options["character_limit"] = args["characterLimit"]
    if "compressProgressBar" in args:
        options["compress_progress_bar"] = args["compressProgressBar"]
    return placeholders(compress_terminal_output(text_in(args["input"]), **options))


def tags(args):
    matcher = TagMatcher(args["tag"], args["position"])
    updates = [runs(matcher.update(chunk)) for chunk in args["chunks"]]
    return {"updates": updates, "final": runs(matcher.final(args["final_chunk"] or ""))}


def runs(found):
    return [{"data": run.data, "matched": run.matched} for run in found]


def cline_range(args):
    messages = [{"role": role, "content": ""} for role in args["roles"]]
    deleted = args["deletedRange"]
    return list(next_truncation_range(messages, tuple(deleted) if deleted else None, args["keep"]))


def cline_info(args):
    window = cline_window(
        args["contextWindow"], model_id=args["modelId"], openai_compatible=args["openai_compatible_handler"]
    )
    return {"contextWindow": window.context_window, "maxAllowedSize": window.max_allowed_size}


def cline_truncated(args):
    deleted = args["deletedRange"]
    missing = "<notice:result_missing>"
    return {"messages": cline_messages(args["messages"], tuple(deleted) if deleted else None, missing_text=missing)}


ADAPTERS = {
    **WINDOW,
    **CONDENSE,
    "max_output_tokens": max_output,
    "validate_tool_result_ids_native": tool_results,
    "merge_consecutive_messages_native": merge,
    "maybe_remove_image_blocks": images,
    "tool_repetition_classic": repetition("classic"),
    "tool_repetition_native": repetition("native"),
    "context_window_error": window_error,
    "count_tokens": count,
    "truncate_output": lambda args: placeholders(
        truncate_output(text_in(args["content"]), args.get("lineLimit"), args.get("characterLimit"))
    ),
    "run_length_encoding": lambda args: placeholders(fold_repeated_lines(text_in(args["content"]))),
    "carriage_returns": lambda args: placeholders(process_carriage_returns(text_in(args["input"]))),
    "backspaces": lambda args: placeholders(process_backspaces(text_in(args["input"]))),
    "compress_terminal_output_classic": compress,
    "tag_matcher": tags,
    "cline_next_truncation_range": cline_range,
    "cline_context_window_info": cline_info,
    "cline_truncated_messages": cline_truncated,
}


def comparable(group, result):
    """A recorded result as far as it does not depend on the length of the reference's own words."""
    return COMPARABLE[group](result) if group in COMPARABLE else result
