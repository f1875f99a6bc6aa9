import { ToolArgs } from "../types"

export function getSearchFilesDescription(args: ToolArgs): string {
	return `## search_files
What it does: runs a pattern through all files of a folder and shows each hit with a few lines around it.
Inputs:
- path: (required) folder, from ${args.cwd}
- regex: (required) Rust syntax; a word border is \`\\b\`, a digit \`\\d+\`, a dollar at the end \`\\$$\`
- file_pattern: (optional) glob such as '*.ts'; without it every file (*) is searched
How to call:
<search_files>
<path>folder</path>
<regex>fn\\s+\\w+</regex>
<file_pattern>*.rs</file_pattern>
</search_files>`
}
