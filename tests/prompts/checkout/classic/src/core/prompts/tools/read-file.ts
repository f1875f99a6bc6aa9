import { ToolArgs } from "../types"

export function getReadFileDescription(args: ToolArgs): string {
	const maxConcurrentReads = args.settings?.maxConcurrentFileReads ?? 5
	const isMultipleReadsEnabled = maxConcurrentReads > 1

	return `## read_file
What it does: opens ${isMultipleReadsEnabled ? "one file or several" : "a single file"} and hands back numbered lines ("1 | const a = 1").${args.partialReadsEnabled ? " Line ranges keep big files small." : ""} PDF and DOCX are turned to text; pictures are not.

${isMultipleReadsEnabled ? `**IMPORTANT: no more than ${maxConcurrentReads} files a call.** For more, call again.` : "**IMPORTANT: several files a call are switched off here.** Call again for each."}

${args.partialReadsEnabled ? `With line_range you ask for parts; repeat it for more parts.` : ""}
Inputs:
- args: holds one or more file elements, each with:
  - path: (required) from ${args.cwd}
  ${args.partialReadsEnabled ? `- line_range: (optional) first-last, counted from 1; may be repeated` : ""}

How to call:
<read_file>
<args>
  <file>
    <path>folder/name</path>
    ${args.partialReadsEnabled ? `<line_range>first-last</line_range>` : ""}
  </file>
</args>
</read_file>

${
	isMultipleReadsEnabled
		? `Two at once (limit ${maxConcurrentReads}):
<read_file>
<args>
  <file>
    <path>oak.ts</path>
    ${
		args.partialReadsEnabled
			? `
    <line_range>1-40</line_range>
    <line_range>90-120</line_range>
    `
			: ""
	}
  </file>
  <file>
    <path>elm/leaf.ts</path>
  </file>
</args>
</read_file>`
		: ""
}

- Read all that belongs together in one go${isMultipleReadsEnabled ? ` (${maxConcurrentReads} at most)` : ""} before you change a line.`
}
