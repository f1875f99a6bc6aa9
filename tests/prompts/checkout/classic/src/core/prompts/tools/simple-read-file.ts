import { ToolArgs } from "../types"

/** The form for models that stumble over nested tags. */
export function getSimpleReadFileDescription({ cwd }: ToolArgs): string {
	return `## read_file
What it does: opens one file and hands back its lines with their numbers.

Inputs:
- path: (required) from ${cwd}

How to call:
<read_file>
<path>folder/name</path>
</read_file>`
}
