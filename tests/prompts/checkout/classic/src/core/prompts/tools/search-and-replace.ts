import { ToolArgs } from "../types"

const OPTIONAL_INPUTS = ["start_line", "end_line", "use_regex", "ignore_case"] as const

const EXPLANATIONS = {
	start_line: "first line to look at",
	end_line: 'last line to look at ("0" is not a line)',
	use_regex: `"true" when search is a pattern`,
	ignore_case: "\"true\" when A equals a",
} satisfies Record<(typeof OPTIONAL_INPUTS)[number], string>

export function getSearchAndReplaceDescription(args: ToolArgs): string {
	return `## search_and_replace
What it does: replaces a text or a pattern wherever it stands in one file.

Inputs needed:
- path: from ${args.cwd}
- search: what is there
- replace: what shall be there

Inputs allowed:
${OPTIONAL_INPUTS.map((name) => `- ${name}: ${EXPLANATIONS[name]}`).join("\n")}

How to call:
<search_and_replace>
<path>a.ts</path>
<search>colou?r\\((\\d)\\)</search>
<replace>tone($1)</replace>
<use_regex>true</use_regex>
</search_and_replace>`
}
