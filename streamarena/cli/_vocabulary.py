"""Fetch a tokenizer vocabulary once, through pip, into the user's cache, and verify it.

tiktoken ships no vocabularies and downloads them from a host that many networks block; a wheel on the package index
carries the same bytes. Invariants: one wheel is downloaded, nothing is installed; a file whose sha256 is not the
published one is never kept; the target appears whole or not at all.

Cost: 12 MB of download and a few seconds, once.
Not here: looking for vocabularies (`context/vocabulary.py`).
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from streamarena.context.vocabulary import VOCABULARIES, cache_directory
from streamarena.errors import ConfigurationError

__all__ = ["SOURCE_MEMBER", "SOURCE_REQUIREMENT", "fetch_vocabulary"]

# The smallest wheel known to carry both vocabularies (11.9 MB; litellm's is 41 MB). Pinned: the layout is not an API.
SOURCE_REQUIREMENT: Final = "llama-index-core==0.14.25"
SOURCE_MEMBER: Final = "llama_index/core/_static/tiktoken_cache/{file_name}"


def fetch_vocabulary(encoding: str = "o200k_base", directory: Path | None = None, *, timeout: float = 300.0) -> Path:
    """Return the path of a verified vocabulary, fetching it first where it is not there yet.

    Args:
        encoding: "o200k_base" or "cl100k_base".
        directory: where to keep it; default: the user's cache directory.
        timeout: seconds that pip may take.

    Raises:
        ConfigurationError: the encoding is unknown, the directory cannot be written to, pip failed,
            or what it brought is not the vocabulary.
    """
    vocabulary = VOCABULARIES.get(encoding)
    if vocabulary is None:
        raise ConfigurationError(f"unknown encoding {encoding!r}; known are {', '.join(VOCABULARIES)}")
    target = (cache_directory() if directory is None else directory) / vocabulary.file_name
    if target.is_file() and _sha256(target.read_bytes()) == vocabulary.sha256:
        return target
    _check_writable(target.parent)
    with tempfile.TemporaryDirectory(prefix="streamarena-") as scratch:
        wheel = _download(Path(scratch), timeout)
        try:
            with zipfile.ZipFile(wheel) as archive:
                content = archive.read(SOURCE_MEMBER.format(file_name=vocabulary.file_name))
        except (KeyError, zipfile.BadZipFile) as error:
            raise ConfigurationError(f"{wheel.name} does not hold the {encoding} vocabulary: {error}") from error
    digest = _sha256(content)
    if digest != vocabulary.sha256:
        raise ConfigurationError(f"{wheel.name} holds another {encoding} vocabulary: its sha256 is {digest}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f"{target.name}.{os.getpid()}.part")
        part.write_bytes(content)
        part.replace(target)
    except OSError as error:
        raise ConfigurationError(f"the vocabulary cannot be kept in {target.parent}: {error}") from error
    return target


def _check_writable(directory: Path) -> None:
    """Find out before anything is fetched whether it could be kept; makes nothing."""
    there = next(place for place in (directory, *directory.absolute().parents) if place.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise ConfigurationError(f"the vocabulary cannot be kept in {directory}: {there} cannot be written to")


def _download(directory: Path, timeout: float) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command += ["--dest", str(directory), SOURCE_REQUIREMENT]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)  # noqa: S603 - fixed words, no shell
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigurationError(f"pip could not fetch {SOURCE_REQUIREMENT}: {error}") from error
    wheels = sorted(directory.glob("*.whl"))
    if done.returncode or not wheels:
        raise ConfigurationError(
            f"pip could not fetch {SOURCE_REQUIREMENT}: {done.stderr.strip()[-400:] or 'no wheel'}"
        )
    return wheels[0]


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
