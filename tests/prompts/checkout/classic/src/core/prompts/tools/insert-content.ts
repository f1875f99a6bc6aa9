import { ToolArgs } from "../types"

export function getInsertContentDescription(args: ToolArgs): string {
	return `## insert_content
What it does: puts lines between lines and changes no other.

Inputs:
- path: (required) from ${args.cwd /* always with forward slashes */}
- line: (required) the new lines stand before this one; 0 is the end
- content: (required) the lines

At the top:
<insert_content>
<path>src/main.ts</path>
<line>1</line>
<content>
import { seed } from './seed';
</content>
</insert_content>

${""}At the end:
<insert_content>
<path>src/main.ts</path>
<line>0</line>
<content>
// last words
</content>
</insert_content>
`
}
