import type OpenAI from "openai"

const SEARCH_FILES_DESCRIPTION = `Runs a pattern through a folder and shows the hits among their neighbours.

Parameters:
- path: (required) folder
- regex: (required) Rust syntax, e.g. \`\\bfn\\s+\\w+\`
- file_pattern: (optional) glob

Example: every loose end
{ "path": "src", "regex": "LATER|XXX", "file_pattern": "*.{ts,tsx}" }`

const PATH_PARAMETER_DESCRIPTION = `Folder to search, from the workspace`

const REGEX_PARAMETER_DESCRIPTION = `Pattern (Rust)`

const FILE_PATTERN_PARAMETER_DESCRIPTION = `Glob, or null for *`

export default {
	type: "function",
	function: {
		name: "search_files",
		description: SEARCH_FILES_DESCRIPTION,
		strict: true,
		parameters: {
			type: "object",
			properties: {
				path: { type: "string", description: PATH_PARAMETER_DESCRIPTION },
				regex: { type: "string", description: REGEX_PARAMETER_DESCRIPTION },
				file_pattern: { type: ["string", "null"], description: FILE_PATTERN_PARAMETER_DESCRIPTION },
			},
			required: ["path", "regex", "file_pattern"],
			additionalProperties: false,
		},
	},
} satisfies OpenAI.Chat.ChatCompletionTool
