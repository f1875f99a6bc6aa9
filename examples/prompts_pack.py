"""A pack of your own: replace one section, ask for a value of yours, and see where each text came from."""

import tempfile
from pathlib import Path

from streamarena.prompts import PromptCatalog, PromptSettings, system_prompt
from streamarena.prompts.packwriter import entry_for, write_manifest, write_text

OBJECTIVE = """====

OBJECTIVE

Work for team {{team}}: small steps, each with a test.{{#if strict}} No step without a review.{{/if}}"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        entry = entry_for(root, "classic.section.objective", "section", OBJECTIVE, source="our team's handbook")
        write_text(root, entry, OBJECTIVE)
        write_manifest(root, {"name": "our-team", "version": "1.0.0"}, [entry])

        catalog = PromptCatalog(project=[root])
        settings = PromptSettings(mode="code", extra=(("team", "Blue"), ("strict", True)))
        print(system_prompt(settings, catalog).rpartition("OBJECTIVE\n\n")[2])
        for key in ("classic.section.objective", "classic.section.rules"):
            origin = catalog.origin(key)
            print(f"{key}: {origin.layer}, {origin.pack} {origin.version} ({origin.source})")


if __name__ == "__main__":
    main()
