"""The catalogue: packs in layers, one shared copy of every text, and rendered prompts remembered by their inputs.

Layers, lowest first: `builtin` < `imported` < `user` < `project`. The highest layer that has a key wins, key by key;
an entry says which pack and layer it came from.

Invariants:
* A text is read and decoded once, and every caller gets the same string object.
* `remember` returns the same object for equal inputs while it is kept; what is kept is bounded by entries and by
  characters, least recently used first out.
* Catalogues never change after construction, so they may be shared between threads and loops.

Cost: building a catalogue reads manifests only; the built-in one is built on first use, so importing costs nothing.
Not here: which texts make up a system prompt (`assembly.py`); where packs are looked for (`find_packs` in `layers.py`).
"""

from __future__ import annotations

import difflib
import threading
from collections import OrderedDict
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

from streamarena.errors import PromptError, UnknownPromptError
from streamarena.prompts.pack import Pack, PromptEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator

    from streamarena.prompts.template import PromptValue, Template

__all__ = [
    "BUILTIN_ROOT",
    "GENERATIONS",
    "Generation",
    "Layer",
    "LAYERS",
    "MAX_REMEMBERED",
    "MAX_REMEMBERED_CHARACTERS",
    "Origin",
    "PromptCatalog",
    "builtin_catalog",
]

Generation: TypeAlias = Literal["classic", "native"]
Layer: TypeAlias = Literal["builtin", "imported", "user", "project"]

GENERATIONS: Final[tuple[Generation, ...]] = ("classic", "native")
LAYERS: Final[tuple[Layer, ...]] = ("builtin", "imported", "user", "project")
BUILTIN_ROOT: Final = Path(__file__).parent / "packs" / "builtin"

MAX_REMEMBERED: Final = 128  # rendered prompts
MAX_REMEMBERED_CHARACTERS: Final = 8 * 2**20


class Origin(msgspec.Struct, frozen=True):
    """Where an entry came from.

    Attributes:
        layer: one of `LAYERS`; pack, version: what the pack calls itself; path: the text's file;
        source: the entry's own note, or the pack's.
    """

    layer: Layer
    pack: str
    version: str
    path: Path
    source: str


class PromptCatalog:
    """Every prompt by key.

    Args:
        imported: folders of packs that an importer made.
        user: folders of the user's own packs.
        project: folders of the project's packs.
        builtin: whether our own texts are the lowest layer (default), which most entries of a partial pack need.
        max_remembered: rendered prompts kept (default 128).
        max_remembered_characters: their characters together (default 8 Mi).

    Raises:
        PackError: a pack's manifest cannot be used; the message names file and line.
    """

    __slots__ = ("_kept", "_kept_characters", "_lock", "_max_characters", "_max_kept", "_owners", "hits", "misses",
                 "packs")  # fmt: skip

    def __init__(
        self,
        *,
        imported: Iterable[Path | str] = (),
        user: Iterable[Path | str] = (),
        project: Iterable[Path | str] = (),
        builtin: bool = True,
        max_remembered: int = MAX_REMEMBERED,
        max_remembered_characters: int = MAX_REMEMBERED_CHARACTERS,
    ) -> None:
        packs: list[tuple[Layer, Pack]] = []
        if builtin:
            packs.append(("builtin", _builtin_pack()))
        chosen: list[tuple[Layer, Iterable[Path | str]]]
        chosen = [("imported", imported), ("user", user), ("project", project)]
        for layer, roots in chosen:
            packs.extend((layer, Pack(Path(root))) for root in roots)
        self.packs: tuple[tuple[Layer, Pack], ...] = tuple(packs)
        self._owners: dict[str, tuple[Layer, Pack]] = {}
        for owner in packs:
            self._owners.update(dict.fromkeys(owner[1].entries, owner))
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, str] = OrderedDict()
        self._kept_characters = 0
        self._max_kept = max_remembered
        self._max_characters = max_remembered_characters
        self.hits = 0
        self.misses = 0

    def keys(self, prefix: str = "") -> list[str]:
        """Return the keys that start with `prefix`, in the order of the manifests, lowest layer first."""
        return [key for key in self._owners if key.startswith(prefix)]

    def __contains__(self, key: object) -> bool:
        return key in self._owners

    def __iter__(self) -> Iterator[str]:
        return iter(self._owners)

    def __len__(self) -> int:
        return len(self._owners)

    def find(self, name: str, generation: Generation) -> str:
        """Return the key of `name` for a generation: its own entry, else the common one.

        Raises:
            UnknownPromptError: neither is there.
        """
        own = f"{generation}.{name}"
        if own in self._owners:
            return own
        common = f"common.{name}"
        if common in self._owners:
            return common
        raise self._unknown(own)

    def has(self, name: str, generation: Generation) -> bool:
        """Whether `find` would find it."""
        return f"{generation}.{name}" in self._owners or f"common.{name}" in self._owners

    def entry(self, key: str) -> PromptEntry:
        """Return what the manifest says of an entry.

        Raises:
            UnknownPromptError: there is none of that key.
        """
        return self._owner(key)[1].entries[key]

    def origin(self, key: str) -> Origin:
        """Return which layer and pack an entry came from."""
        layer, pack = self._owner(key)
        entry = pack.entries[key]
        return Origin(layer, pack.name, pack.version, pack.root / entry.file, entry.source or pack.source)

    def text(self, key: str) -> str:
        """Return an entry's text as stored, tags and all; the same object every time.

        Raises:
            UnknownPromptError: there is no such entry.
            PackError: its file cannot be used.
        """
        return self._owner(key)[1].text(key)

    def template(self, key: str) -> Template:
        """Return an entry's compiled text."""
        return self._owner(key)[1].template(key)

    def render(self, key: str, /, **values: PromptValue) -> str:
        """Return an entry's text with its values filled in.

        A text without tags is returned as the shared object itself. Nothing is remembered: values may be long and
        different every time. What is asked for again and again goes through `remember`.

        Raises:
            UnknownPromptError: there is no such entry.
            MissingPromptValueError: a value that the text needs was not given.
        """
        return self.template(key).render(values, key=key)

    def remember(self, inputs: Hashable, make: Callable[[], str]) -> str:
        """Return what `make` returns for these inputs, made once while it is kept.

        Two threads that ask at once may both make it; both get the object that was kept first.
        """
        with self._lock:
            kept = self._kept.get(inputs)
            if kept is not None:
                self._kept.move_to_end(inputs)
                self.hits += 1
                return kept
            self.misses += 1
        made = make()
        with self._lock:
            kept = self._kept.setdefault(inputs, made)
            if kept is made:
                self._kept_characters += len(made)
                self._evict()
        return kept

    def check(self) -> list[PromptError]:
        """Read and compile every text of every pack, whether it wins or not; return what is wrong."""
        problems: list[PromptError] = []
        for _, pack in self.packs:
            for key in pack.entries:
                try:
                    pack.template(key)
                except PromptError as error:
                    problems.append(error)
        return problems

    def _evict(self) -> None:
        while len(self._kept) > self._max_kept or (
            self._kept_characters > self._max_characters and len(self._kept) > 1
        ):
            _, gone = self._kept.popitem(last=False)
            self._kept_characters -= len(gone)

    def _owner(self, key: str) -> tuple[Layer, Pack]:
        try:
            return self._owners[key]
        except KeyError:
            raise self._unknown(key) from None

    def _unknown(self, key: str) -> UnknownPromptError:
        return UnknownPromptError(key, tuple(difflib.get_close_matches(key, self._owners, n=3)))


@lru_cache(maxsize=1)
def builtin_catalog() -> PromptCatalog:
    """Return the catalogue of our own texts alone, one for the process, made on first use."""
    return PromptCatalog()


@lru_cache(maxsize=1)
def _builtin_pack() -> Pack:
    return Pack(BUILTIN_ROOT)
