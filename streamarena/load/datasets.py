"""Requests from files: JSON lines, and conversations in the ShareGPT format.

Invariants: a file is indexed once and read a line at a time, so its size is bounded by eight bytes a line of memory;
numbers beyond the last line begin again at the first; a line that cannot be used is an error that names it, before
the first request is sent.
Cost: every line is read and checked once at the start, then one seek and one short read a request. Lengths, where a
format needs them, are estimated (four characters a token) before the run; nothing is tokenised.
Not here: arrival times (`traces.py`), images (`images.py`).
"""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from streamarena.errors import ConfigurationError, LimitExceededError
from streamarena.load.bodies import body_for
from streamarena.load.requests import Conversation, LoadRequest
from streamarena.memory import default_manager

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["JSONLines", "ShareGPT", "read_records"]

_LINE_BYTES: Final = 16 * 2**20
_FILE_BYTES: Final = 4 * 2**30
_CHARACTERS_PER_TOKEN: Final = 4
_USERS: Final = frozenset({"human", "user"})
_MODELS: Final = frozenset({"gpt", "assistant", "chatgpt"})
_BODY_MEMBERS: Final = frozenset({"messages", "input", "contents", "inputs"})


class _Lines:
    """The lines of a file by number, found by an index of where they begin.

    Args:
        path: the file. check: called with each line's object; what it raises names the line.
    """

    def __init__(self, path: str | Path, check: Callable[[dict[str, Any]], object]) -> None:
        self.path = str(path)
        self._starts = array("q")
        position = 0
        with Path(path).open("rb") as file:
            for number, line in enumerate(file, 1):
                if len(line) > _LINE_BYTES:
                    raise LimitExceededError(_LINE_BYTES, len(line), f"the length of line {number}")
                if line.strip():
                    self._starts.append(position)
                    self._check(line, number, check)
                position += len(line)
        if not self._starts:
            raise ConfigurationError(f"{self.path} holds no lines")

    def __len__(self) -> int:
        return len(self._starts)

    def read(self, number: int) -> dict[str, Any]:
        """Return the JSON object of a line; numbers beyond the last begin again."""
        index = number % len(self._starts)
        with Path(self.path).open("rb") as file:
            file.seek(self._starts[index])
            return msgspec.json.decode(file.readline(_LINE_BYTES), type=dict[str, Any])

    def _check(self, line: bytes, number: int, check: Callable[[dict[str, Any]], object]) -> None:
        try:
            check(msgspec.json.decode(line, type=dict[str, Any]))
        except msgspec.MsgspecError as error:
            raise ConfigurationError(f"{self.path}: line {number} is not a JSON object: {error}") from error
        except (ConfigurationError, TypeError, ValueError) as error:
            raise ConfigurationError(f"{self.path}: line {number} cannot be sent: {error}") from error


class JSONLines:
    """A request source from a file of JSON objects, one a line.

    A line may be a whole request body (it has `messages`, `input`, `contents` or `inputs`), `{"body": {...}}`, a
    question `{"prompt": ...}` or `{"text": ...}`, or a conversation `{"turns": [...]}`. Beside a question, `system`
    and `output_tokens` (or `max_tokens`) are used.

    Args:
        path: the file. api: the wire API of bodies made from questions. members: laid over every body.

    Raises:
        ConfigurationError: the file has no lines, or one that cannot be used.
        OSError: the file cannot be read.
    """

    def __init__(self, path: str | Path, *, api: str = "openai-chat", members: Mapping[str, Any] | None = None) -> None:
        self._api = api
        self._members = dict(members or {})
        self._lines = _Lines(path, self._request)

    def __len__(self) -> int:
        return len(self._lines)

    def __call__(self, number: int) -> LoadRequest | Conversation:
        """Return the request, or conversation, of a number."""
        return self._request(self._lines.read(number))

    def _request(self, line: dict[str, Any]) -> LoadRequest | Conversation:
        if "body" in line:
            return LoadRequest({**line["body"], **self._members}, input_tokens=line.get("input_tokens"))
        if _BODY_MEMBERS & line.keys():
            return LoadRequest({**line, **self._members})
        length = line.get("output_tokens") or line.get("max_tokens")
        if "turns" in line:
            members = {**(_length(self._api, length)), **self._members}
            return Conversation(line["turns"], system=line.get("system"), members=members)
        question = line.get("prompt", line.get("text"))
        if not isinstance(question, str):
            raise ConfigurationError("it has no body, messages, prompt, text or turns")
        message = {"role": "user", "content": question}
        body = body_for(self._api, [message], system=line.get("system"), max_tokens=length)
        return LoadRequest({**body, **self._members}, input_tokens=line.get("input_tokens"))


class ShareGPT:
    """A request source from a file in the ShareGPT format: a JSON list of `{"conversations": [{"from", "value"}]}`.

    Args:
        path: the file. turns: whether whole conversations are held; else only first questions are asked.
        keep_lengths: whether the recorded answer's estimated length is asked for.
        least_tokens: questions and answers shorter than this (estimated) are left out, as benchmarks usually do.
        api, members: as for `JSONLines`.

    Raises:
        ConfigurationError: the file is not in that format, or nothing in it can be used.
        OSError: the file cannot be read.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        turns: bool = False,
        keep_lengths: bool = True,
        least_tokens: int = 4,
        api: str = "openai-chat",
        members: Mapping[str, Any] | None = None,
    ) -> None:
        self._api = api
        self._members = dict(members or {})
        self._items: list[tuple[tuple[str, ...], int | None]] = []
        for record in read_records(path):
            said: list[dict[str, Any]] = record.get("conversations") or record.get("conversation") or []
            users: tuple[str, ...] = tuple(str(one["value"]) for one in said if one.get("from") in _USERS)
            answers = [str(one["value"]) for one in said if one.get("from") in _MODELS]
            if not users or not answers:
                continue
            length = _estimate(answers[0])
            if min(_estimate(users[0]), length) >= least_tokens:
                self._items.append((users if turns else users[:1], length if keep_lengths else None))
        if not self._items:
            raise ConfigurationError(f"{path} holds no conversation that can be used")

    def __len__(self) -> int:
        return len(self._items)

    def __call__(self, number: int) -> LoadRequest | Conversation:
        """Return the request, or conversation, of a number."""
        users, length = self._items[number % len(self._items)]
        if len(users) != 1:
            return Conversation(users, members={**_length(self._api, length), **self._members})
        body = body_for(self._api, [{"role": "user", "content": users[0]}], max_tokens=length)
        return LoadRequest({**body, **self._members})


def read_records(path: str | Path) -> list[dict[str, Any]]:
    """Return the objects of a file that is a JSON list, or JSON lines; at most 4 GiB.

    Raises:
        ConfigurationError: it is neither. LimitExceededError: it is larger.
    """
    size = Path(path).stat().st_size
    if size > _FILE_BYTES:
        raise LimitExceededError(_FILE_BYTES, size, "the size of a data set file; cut it into parts")
    files = default_manager().files
    if size <= files.limit // 2:  # a sweep reads its data set again for each load
        with files.get(path) as file:
            data = bytes(file)
    else:
        data = Path(path).read_bytes()
    try:
        if data.lstrip()[:1] == b"[":
            return msgspec.json.decode(data, type=list[dict[str, Any]])
        return msgspec.json.Decoder(dict[str, Any]).decode_lines(data)
    except msgspec.MsgspecError as error:
        raise ConfigurationError(f"{path} is neither a JSON list nor JSON lines: {error}") from error


def _estimate(text: str) -> int:
    return len(text) // _CHARACTERS_PER_TOKEN


def _length(api: str, tokens: int | None) -> dict[str, Any]:
    """Return what in a body asks for a length, apart from the messages."""
    body = body_for(api, [], max_tokens=tokens)
    return {name: value for name, value in body.items() if name not in _BODY_MEMBERS | {"prompt"}}
