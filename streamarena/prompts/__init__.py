"""The prompt catalogue and its assembly (floor 1).

Texts live in packs (`pack.py`), packs in layers (`catalog.py`); our own pack is `packs/builtin`. Importing this
package reads no file: the built-in catalogue is opened on first use.
"""

from streamarena.prompts.catalog import Generation, Origin, PromptCatalog, builtin_catalog
from streamarena.prompts.pack import Pack, PromptEntry
from streamarena.prompts.template import PromptValue, Template, compile_template, literal

__all__ = [
    "PromptCatalog",
    "builtin_catalog",
    "Generation",
    "Origin",
    "Pack",
    "PromptEntry",
    "PromptValue",
    "Template",
    "compile_template",
    "literal",
]
