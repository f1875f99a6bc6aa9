import type OpenAI from "openai"

// Queries are in English.
const CODEBASE_SEARCH_DESCRIPTION = `Finds code by meaning. New ground is always asked about here first.

Example: "how money is rounded"
{ "query": "how money is rounded", "path": null }
`

export default {
	type: "function",
	function: {
		name: "codebase_search",
		description: CODEBASE_SEARCH_DESCRIPTION,
		strict: true,
		parameters: {
			type: "object",
			properties: {
				query: { type: "string", description: `What is sought` },
				path: { type: ["string", "null"], description: `Folder to stay within` },
			},
			required: ["query", "path"],
			additionalProperties: false,
		},
	},
} satisfies OpenAI.Chat.ChatCompletionTool
