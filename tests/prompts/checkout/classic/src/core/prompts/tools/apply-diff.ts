import type { ToolArgs } from "../types"

const SEARCH_MARK = "<<<<<<< SEARCH"
const REPLACE_MARK = ">>>>>>> REPLACE"

export function getApplyDiffDescription({ cwd, diffStrategy, toolOptions = { shape: "full" } }: ToolArgs): string | undefined {
	if (!diffStrategy) return undefined

	switch (toolOptions.shape) {
		case "short":
			return `## apply_diff
What it does: swaps quoted lines. Path from ${cwd}.`
		case "full":
		default:
			return `## apply_diff
What it does: swaps the lines you quote for the lines you give. The quote must match to the last blank.
Several blocks may stand in one call; all changes to a file belong in one call.

Inputs:
- path: (required) from ${cwd}
- diff: (required) one or more blocks

A block:
\`\`\`
${SEARCH_MARK}
:start_line: (required) number of the first quoted line
-------
[lines as they are]
=======
[lines as they shall be]
${REPLACE_MARK}

\`\`\`

How to call:
<apply_diff>
<path>folder/name</path>
<diff>
Your blocks, ${SEARCH_MARK.length} signs to a mark
</diff>
</apply_diff>`
	}
}
