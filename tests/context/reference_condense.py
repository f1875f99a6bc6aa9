"""Adapters for the groups of reference vectors about condensing."""

from __future__ import annotations

import asyncio
import dataclasses

from streamarena.context.condense import CondensePrompts, Condenser
from streamarena.context.manage import summarize_conversation
from streamarena.context.texts import notices
from streamarena.context.window import CondenseCall
from tests.context.reference_window import NOW, counter_ids, index_of, stub_count

NOTICES = notices()
RECORDED = dataclasses.replace(
    NOTICES,
    continue_from_summary="<notice:continue_from_summary>",
    summarize_request="<notice:summarize_request>",
    image_placeholder="<notice:image_placeholder>",
    condense_deferred="<notice:condense_deferred>",
)
PROMPTS = CondensePrompts("<notice:summary_prompt>", "<notice:condense_instructions>")


class ThrownError(Exception):
    """A failure inside a recorded stream."""


def handler(plan, requests, name):
    """A recorded handler as a function that returns a stream; something that cannot be called where it was invalid."""
    if plan.get("hasCreateMessage") is False:
        return object()

    async def stream(request):
        requests.append((name, request))
        for chunk in plan["chunks"]:
            if "throw" not in chunk:
                yield chunk
                continue
            thrown = chunk["throw"]
            error = ThrownError(thrown if isinstance(thrown, str) else thrown["message"])
            for key, value in ({} if isinstance(thrown, str) else thrown).items():
                setattr(error, key, value)
            raise error

    return stream


def recorded_request(requests, *, with_handler):
    if not requests:
        return None
    name, request = requests[0]
    result = {"system": request.system, "messages": list(request.messages)}
    return {"handler": name, **result} if with_handler else {**result, "metadata_given": request.metadata is not None}


def run_condense(args, condenser, variant):
    call = CondenseCall(
        args["messages"],
        args["systemPrompt"],
        args.get("prevContextTokens", 0),
        automatic=bool(args.get("isAutomaticTrigger")),
        custom_prompt=args.get("customCondensingPrompt"),
        metadata=args.get("metadata"),
        environment_details=args.get("environmentDetails"),
        files_read=args.get("filesReadByRoo"),
        cwd=args.get("cwd"),
    )
    return asyncio.run(summarize_conversation(call, condenser, variant=variant))


def classic(variant):
    def run(args):
        requests, events = [], []
        condensing = args.get("condensing_handler")
        main = handler(args["main_handler"], requests, "main")
        condenser = Condenser(
            main if callable(main) else None,
            PROMPTS,
            stub_count,
            condensing=None if condensing is None else handler(condensing, requests, "condensing"),
            supports_images=args["main_handler"].get("supportsImages"),
            now=NOW,
            notices=RECORDED,
            on_event=lambda name, facts: events.append(facts),
        )
        try:
            done = run_condense(args, condenser, variant)
        except ThrownError as error:
            result = {"throws": str(error)}
        else:
            messages = args["messages"]
            result = {
                "same_object": done.messages is messages,
                "messages": [
                    {"new": m} if (i := index_of(messages, m)) is None else {"index": i} for m in done.messages
                ],
                **outcome(done),
            }
        facts = events[0]
        return {
            **result,
            "request": recorded_request(requests, with_handler=True),
            "telemetry": {
                "isAutomaticTrigger": facts["automatic"],
                "usedCustomPrompt": facts["custom_prompt"],
                "usedCustomApiHandler": facts["custom_handler"],
            },
            "console_warned": "condensing_handler_invalid" in (done.warnings if "throws" not in result else ()),
        }

    return run


def outcome(done):
    return {
        "summary": done.summary,
        "cost": done.cost,
        "newContextTokens": done.new_context_tokens,
        "error_key": f"common:errors.{done.error}" if done.error else None,
        "error_params": dict(done.error_params) or None,
    }


def native(args):
    requests, events, folds = [], [], []

    async def fold(files, cwd):
        folds.append(files)
        if args["folded_sections"] == "throw":
            raise ThrownError
        return args["folded_sections"]

    main = handler(args["main_handler"], requests, "main")
    condenser = Condenser(
        main if callable(main) else None,
        PROMPTS,
        stub_count,
        supports_images=args["main_handler"].get("supportsImages"),
        fold_files=fold,
        new_id=counter_ids(),
        now=NOW,
        notices=RECORDED,
        on_event=lambda name, facts: events.append(facts),
    )
    done = run_condense(args, condenser, "native")
    entries, fixed = [], 0
    for message in done.messages:
        index = index_of(args["messages"], message)
        if index is not None:
            entries.append({"index": index})
        elif message.get("condenseId") == done.condense_id:
            shown, fixed = as_recorded(message)
            entries.append({"new": shown})
        else:
            index = len(entries)
            bare = {key: value for key, value in message.items() if key != "condenseParent"}
            assert bare == args["messages"][index]
            entries.append({"index": index, "condenseParent_added": message["condenseParent"]})
    result = {
        "same_object": done.messages is args["messages"],
        "messages": entries,
        **outcome(done),
        "condenseId": done.condense_id,
        "request": recorded_request(requests, with_handler=False),
        "telemetry": {
            "isAutomaticTrigger": events[0]["automatic"],
            "usedCustomPrompt": events[0]["custom_prompt"],
        },
        "folded_generator_calls": len(folds),
    }
    if done.error == "condense_api_failed":
        parts = ("message", "status", "code", "response", "body")
        result["error_details_parts"] = {part: bool(done.error_details.get(part)) for part in parts}
    if done.condense_id is not None:
        result["fixed_text_chars_in_newContextTokens"] = fixed
    return result


def as_recorded(message):
    """Our summary message with the recording's placeholders, and the length of our fixed texts in it."""
    blocks, fixed = [], 0
    for block in message["content"]:
        text = block["text"]
        if text.startswith(NOTICES.summary_heading):
            fixed += len(NOTICES.summary_heading)
            text = "<heading:summary>" + text.removeprefix(NOTICES.summary_heading)
        elif text.startswith(NOTICES.workflows_opening):
            fixed += len(NOTICES.workflows_opening) + len(NOTICES.workflows_closing)
            inner = text.removeprefix(NOTICES.workflows_opening).removesuffix(NOTICES.workflows_closing)
            text = f"<wrap:workflows>{inner}</wrap:workflows>"
        blocks.append({"type": "text", "text": text})
    return {**message, "content": blocks}, fixed


def without_fixed_texts(result):
    """A result whose token count leaves out the fixed texts: ours are not as long as the recorded ones."""
    if result["newContextTokens"] is None:
        return result
    fixed = result["fixed_text_chars_in_newContextTokens"]
    rest = {key: value for key, value in result.items() if key != "fixed_text_chars_in_newContextTokens"}
    return {**rest, "newContextTokens": result["newContextTokens"] - fixed}


CONDENSE = {
    "summarize_classic": classic("classic"),
    "summarize_roo_3_28": classic("roo-3.28"),
    "summarize_native": lambda args: without_fixed_texts(native(args)),
}
