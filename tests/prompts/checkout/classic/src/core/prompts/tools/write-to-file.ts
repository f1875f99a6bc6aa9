import { ToolArgs } from "../types"

export function getWriteToFileDescription(args: ToolArgs): string {
	return `## write_to_file
What it does: writes a whole file; folders on the way are made.
Inputs:
- path: (required) from ${args.cwd}
- content: (required) EVERYTHING, without gaps and without line numbers
- line_count: (required) how many lines that is, blank ones too

How to call:
<write_to_file>
<path>settings.json</path>
<content>
{
  "greeting": "hello\\nworld",
  "price": "\${amount}",
  "tree": { "oak": true }
}
</content>
<line_count>5</line_count>
</write_to_file>`
}
