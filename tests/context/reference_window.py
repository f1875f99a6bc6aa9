"""Adapters for the groups of reference vectors about truncating and managing windows."""

from __future__ import annotations

import asyncio
import re

from streamarena.context.classic import truncate_conversation
from streamarena.context.condense import messages_since_last_summary
from streamarena.context.manage import manage_context
from streamarena.context.native import cleanup_after_truncation, effective_history, hide_messages, truncation_notice
from streamarena.context.window import CondenseResult, WindowContext, will_manage_context

NOW = 1_700_000_000_000
NOTICE = re.compile(re.escape(truncation_notice(12345)).replace("12345", r"(\d+)"))


def index_of(messages, message):
    """The position of an object, by identity."""
    return next((index for index, other in enumerate(messages) if other is message), None)


def stub_count(blocks):
    return sum(len(block["text"]) if block["type"] == "text" else 10 for block in blocks)


def counter_ids(prefix="uuid"):
    drawn = iter(range(1, 1_000_000))
    return lambda: f"{prefix}-{next(drawn)}"


def classic_truncation(args):
    messages = [{"role": "user", "content": str(number)} for number in range(args["message_count"])]
    events = []
    kept = truncate_conversation(messages, args["fraction"], on_event=events.append)
    return {"kept": [index_of(messages, message) for message in kept], "telemetry_events": len(events)}


def with_notices(messages):
    return [
        {**m, "content": NOTICE.sub(r"<notice:truncation:\1>", m["content"])} if m.get("isTruncationMarker") else m
        for m in messages
    ]


def native_truncation(args):
    messages, new_id, steps = args["messages"], counter_ids(), []
    for step in args["steps"]:
        given = [*messages, *step["append"]]
        done = hide_messages(given, step["fraction"], truncation_id=new_id(), now=NOW)
        messages = done.messages
        steps.append(
            {
                "messagesRemoved": done.messages_removed,
                "truncationId": done.truncation_id,
                "same_object": messages is given,
                "messages": with_notices(messages),
            }
        )
    result = {"steps": steps, "effective_indices_after_last_step": indices(messages, effective_history(messages))}
    rewound = cleanup_after_truncation(messages[: args["rewind_keep_first"]])
    return {
        **result,
        "rewound_cleanup": with_notices(rewound),
        "rewound_effective_indices": indices(rewound, effective_history(rewound)),
    }


def indices(messages, shown):
    return [index_of(messages, message) for message in shown]


def effective(args):
    messages = args["messages"]
    shown = effective_history(messages)
    return {"messages": [entry(messages, message, "changed_copy") for message in shown]}


def entry(messages, message, changed):
    index = index_of(messages, message)
    return {changed: message} if index is None else {"index": index}


def cleanup(args):
    messages = args["messages"]
    cleaned = cleanup_after_truncation(messages)
    assert len(cleaned) == len(messages)
    return {
        "messages": [
            {"index": i} if new is old else {"index": i, "changed_copy": new}
            for i, (new, old) in enumerate(zip(cleaned, messages, strict=True))
        ]
    }


def since_summary(variant):
    def run(args):
        messages = args["messages"]
        notice = "<notice:continue_from_summary>"
        shown = messages_since_last_summary(messages, variant, now=NOW, notice=notice)
        return {
            "same_object": shown is messages,
            "messages": [entry(messages, message, "synthetic") for message in shown],
        }

    return run


def manage(policy):
    def run(args):
        calls, counted = [], []

        async def condense(call):
            calls.append(call)
            plan = args["summarizer"]
            if plan["outcome"] == "error":
                details = "details" if policy == "native" else None
                return CondenseResult(call.messages, cost=plan["cost"], error=plan["error"], error_details=details)
            return CondenseResult(
                [{"role": "user", "content": "x"}] * 3,
                plan["summary"],
                plan["cost"],
                plan["newContextTokens"],
                condense_id="cid" if policy == "native" else None,
            )

        def count(blocks):
            counted.append(blocks)
            return stub_count(blocks)

        context = WindowContext(
            args["messages"],
            total_tokens=args["totalTokens"],
            context_window=args["contextWindow"],
            count=count,
            max_tokens=args.get("maxTokens"),
            system_prompt=args["systemPrompt"],
            condense=condense,
            auto_condense=args["autoCondenseContext"],
            auto_condense_percent=args["autoCondenseContextPercent"],
            profile_thresholds=args["profileThresholds"],
            current_profile_id=args["currentProfileId"],
            custom_prompt=args.get("customCondensingPrompt"),
            metadata=args.get("metadata"),
            environment_details=args.get("environmentDetails"),
            files_read=args.get("filesReadByRoo"),
            cwd=args.get("cwd"),
            new_id=counter_ids(),
            now=NOW,
        )
        done = asyncio.run(manage_context(context, policy=policy))
        finish = classic_managed if policy == "classic" else native_managed
        return finish(args, context, done, calls, counted)

    return run


def managed(context, done):
    return {
        "action": done.action,
        "same_object": done.messages is context.messages,
        "prevContextTokens": done.prev_context_tokens,
        "summary": done.summary,
        "cost": done.cost,
        "error": done.error,
        "newContextTokens": done.new_context_tokens,
        "warned_invalid_profile_threshold": "invalid_profile_threshold" in done.warnings,
    }


def classic_managed(args, context, done, calls, counted):
    result = {**managed(context, done), "count_tokens_calls": len(counted), "summarizer_call": None}
    if calls:
        result["summarizer_call"] = {
            "positional": {
                "prevContextTokens": calls[0].prev_context_tokens,
                "isAutomaticTrigger": calls[0].automatic,
                "customCondensingPrompt": calls[0].custom_prompt,
                "condensingApiHandler_given": False,
            }
        }
    if done.action == "truncated":
        result["kept"] = indices(args["messages"], done.messages)
    return result


OPTIONS = {
    "messages": "messages",
    "system_prompt": "systemPrompt",
    "automatic": "isAutomaticTrigger",
    "custom_prompt": "customCondensingPrompt",
    "metadata": "metadata",
    "environment_details": "environmentDetails",
    "files_read": "filesReadByRoo",
    "cwd": "cwd",
}


def native_managed(args, context, done, calls, counted):
    result = {
        **managed(context, done),
        "will_manage": will_manage_context(context, args["lastMessageTokens"]),
        "will_manage_warned": False,
        "errorDetails": done.error_details,
        "condenseId": done.condense_id,
        "summarizer_call": None,
    }
    if calls:
        given = [name for field, name in OPTIONS.items() if getattr(calls[0], field) is not None]
        result["summarizer_call"] = {
            "option_keys_defined": sorted([*given, "apiHandler", "taskId"]),
            "isAutomaticTrigger": calls[0].automatic,
        }
    if done.action == "truncated":
        marker = next((i for i, m in enumerate(done.messages) if m.get("truncationId") == done.truncation_id), -1)
        hidden = [i for i, m in enumerate(done.messages) if m.get("truncationParent") == done.truncation_id]
        result |= {
            "messagesRemoved": done.messages_removed,
            "truncationId": done.truncation_id,
            "newContextTokensAfterTruncation": done.new_context_tokens_after_truncation,
            "hidden_with_new_id": hidden,
            "marker_position": marker,
        }
    return result


WINDOW = {
    "truncate_conversation_classic": classic_truncation,
    "truncate_conversation_native": native_truncation,
    "effective_api_history_native": effective,
    "cleanup_after_truncation_native": cleanup,
    "messages_since_last_summary_classic": since_summary("classic"),
    "messages_since_last_summary_native": since_summary("native"),
    "messages_since_last_summary_roo_3_28": since_summary("roo-3.28"),
    "manage_context_classic": manage("classic"),
    "manage_context_native": manage("native"),
}
