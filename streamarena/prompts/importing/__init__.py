"""Importing prompts from a local checkout of the assistant they were written for (the extra `import`).

Nothing of a checkout is executed. Importing this package loads no parser; `import_checkout` does.
"""

from streamarena.prompts.importing.importer import REPORT, ImportedLiteral, ImportReport, Problem, import_checkout

__all__ = ["import_checkout", "ImportReport", "ImportedLiteral", "Problem", "REPORT"]
