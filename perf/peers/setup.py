"""Make the peers' environments on first use, and say why where that cannot be done."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Version 4 asks for a newer Node than long-term support systems have.
NODE_PACKAGES = ("eventsource-parser@3",)


class PeersUnavailableError(RuntimeError):
    """The peers cannot be set up here: no registry, or no tool."""


def python_environment(requirements: str = "requirements.txt", name: str = ".venv-peers") -> Path:
    """Return the interpreter of an environment with the peers of a requirements file beside this one."""
    listed = Path(__file__).with_name(requirements)
    folder = ROOT / name
    python = folder / "bin" / "python"
    stamp = folder / f"made-from-{_fingerprint(listed.read_text('utf-8') + sys.version)}"
    if stamp.exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    _run([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", str(listed)])
    stamp.touch()
    return python


def node_packages() -> Path | None:
    """Return the folder whose node_modules has the Node peers, or None where there is no node."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return None
    folder = ROOT / ".cache" / "node"
    stamp = folder / f"made-from-{_fingerprint(' '.join(NODE_PACKAGES))}"
    if not stamp.exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true, "type": "module"}\n', "utf-8")
        _run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), *NODE_PACKAGES])
        stamp.touch()
    return folder


def _fingerprint(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12]


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise PeersUnavailableError(f"{command[0]} failed: {(done.stderr or done.stdout).strip()[-500:]}")
