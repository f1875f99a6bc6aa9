"""Where a tokenizer's vocabulary comes from: a path, a cache directory, or tiktoken's own download if allowed.

Invariants: nothing is ever fetched here on its own account; a vocabulary is verified against its sha256 before it is
used; one encoder a vocabulary and process, shared (they are immutable and about 30 MB each).
Search order: the path given, `TIKTOKEN_CACHE_DIR`, the user's cache directory (where
`streamarena context fetch-vocabulary` puts it), then tiktoken's download with `allow_download=True`.
Cost: building an encoder takes some 0.3 s and happens once, on first use.
Not here: the fetching itself (`cli/context.py`), and counting (`tokens.py`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from streamarena.errors import ConfigurationError, MissingExtraError

if TYPE_CHECKING:
    from tiktoken import Encoding

__all__ = ["VOCABULARIES", "Vocabulary", "cache_directory", "find_vocabulary", "load_encoding"]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """One vocabulary file.

    Attributes:
        encoding: tiktoken's name for it; file_name: its name in a tiktoken cache directory, the SHA-1 of its address;
        sha256: of its content; size: bytes.
    """

    encoding: str
    file_name: str
    sha256: str
    size: int


VOCABULARIES: Final[Mapping[str, Vocabulary]] = {
    "o200k_base": Vocabulary(
        "o200k_base",
        "fb374d419588a4632f3f557e76b4b70aebbca790",
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
        3_613_922,
    ),
    "cl100k_base": Vocabulary(
        "cl100k_base",
        "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
        1_681_126,
    ),
}


def cache_directory(environment: Mapping[str, str] | None = None) -> Path:
    """Return the user's cache directory for vocabularies, which need not exist.

    `STREAMARENA_CACHE_DIR` wins, then `XDG_CACHE_HOME`, then `~/.cache`.
    """
    variables = os.environ if environment is None else environment
    own = variables.get("STREAMARENA_CACHE_DIR")
    if own:
        return Path(own)
    shared = variables.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "streamarena"


def find_vocabulary(encoding: str = "o200k_base", path: Path | None = None) -> Path | None:
    """Return the file that holds a vocabulary; None where it is nowhere on this machine.

    Args:
        encoding: "o200k_base" or "cl100k_base".
        path: a file, or a directory that holds it under tiktoken's name for it.

    Raises:
        ConfigurationError: `path` is given and holds no such vocabulary, or the encoding is not known.
    """
    vocabulary = VOCABULARIES.get(encoding)
    if vocabulary is None:
        raise ConfigurationError(f"unknown encoding {encoding!r}; known are {', '.join(VOCABULARIES)}")
    if path is not None:
        file = path / vocabulary.file_name if path.is_dir() else path
        if not file.is_file():
            raise ConfigurationError(f"{file} is not a file; expected the {encoding} vocabulary there")
        return file
    places = [Path(os.environ["TIKTOKEN_CACHE_DIR"])] if os.environ.get("TIKTOKEN_CACHE_DIR") else []
    for place in [*places, cache_directory()]:
        file = place / vocabulary.file_name
        if file.is_file():
            return file
    return None


def load_encoding(
    encoding: str = "o200k_base", path: Path | None = None, *, allow_download: bool = False
) -> Encoding | None:
    """Return the encoder for a vocabulary; None where there is no vocabulary and no download is allowed.

    Raises:
        MissingExtraError: tiktoken is not installed though a vocabulary is there.
        ConfigurationError: the file is not the vocabulary that it should be.
    """
    file = find_vocabulary(encoding, path)
    if file is not None:
        return _encoder(encoding, str(file))
    return _downloaded(encoding) if allow_download else None


@lru_cache(maxsize=4)
def _encoder(encoding: str, file: str) -> Encoding:
    content = Path(file).read_bytes()
    vocabulary = VOCABULARIES[encoding]
    digest = hashlib.sha256(content).hexdigest()
    if digest != vocabulary.sha256:
        raise ConfigurationError(f"{file} is not the {encoding} vocabulary: its sha256 is {digest}")
    try:
        import tiktoken  # noqa: PLC0415 - an optional dependency, loaded only when counting begins
    except ImportError as error:
        raise MissingExtraError("tiktoken", "tokens", "exact token counting") from error
    pattern = _O200K_PATTERN if encoding == "o200k_base" else _CL100K_PATTERN
    try:
        ranks = {base64.b64decode(token): int(rank) for token, rank in map(bytes.split, content.splitlines())}
    except (ValueError, binascii.Error) as error:
        raise ConfigurationError(f"{file} is not a vocabulary: {error}") from error
    # Special tokens are left out on purpose: the reference encodes their spelling as ordinary text.
    return tiktoken.Encoding(encoding, pat_str=pattern, mergeable_ranks=ranks, special_tokens={})


@lru_cache(maxsize=4)
def _downloaded(encoding: str) -> Encoding:
    try:
        import tiktoken  # noqa: PLC0415 - an optional dependency, loaded only when counting begins
    except ImportError as error:
        raise MissingExtraError("tiktoken", "tokens", "exact token counting") from error
    return tiktoken.get_encoding(encoding)


# The split patterns are part of each encoding's definition, as published with tiktoken.
_CONTRACTIONS: Final = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_O200K_PATTERN: Final = "|".join(
    [
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+" + _CONTRACTIONS,
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*" + _CONTRACTIONS,
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    ]
)
_CL100K_PATTERN: Final = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|"
    r"\s+(?!\S)|\s"
)
