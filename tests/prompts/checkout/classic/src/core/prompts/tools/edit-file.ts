import { Experiments } from "../../../shared/experiments"

export const EDIT_MARKER = "// ... existing code ..."

export function getEditFileDescription(): string {
	return `## edit_file

What it does: a second, quicker model merges a sketch of your change into the file. Give it the changed lines and enough of their neighbours.

Write \`${EDIT_MARKER}\` for what stays.

Inputs:
1. target_file: (required) the file
2. instructions: (required) one sentence in the first person
3. code_edit: (required) the sketch

${EDIT_MARKER}
FIRST_CHANGE
${EDIT_MARKER}

How to call:
<edit_file>
<target_file>a.ts</target_file>
<instructions>I am naming the constant.</instructions>
<code_edit>
${EDIT_MARKER}
const LIMIT = 3
${EDIT_MARKER}
</code_edit>
</edit_file>`
}
