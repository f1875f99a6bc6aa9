import type OpenAI from "openai"

const SEARCH_REPLACE_DESCRIPTION = `One place, one change.

1. ONE: the text must stand there once only.
2. CONTEXT: three lines before, three after.`

export default {
	type: "function",
	function: {
		name: "search_replace",
		description: SEARCH_REPLACE_DESCRIPTION,
		strict: false,
		parameters: {
			type: "object",
			properties: {
				file_path: { type: "string", description: "File" },
				old_string: { type: "string", description: `What is there ("exactly")` },
				new_string: { type: "string", description: 'What shall be there (isn\'t the same)' },
			},
			required: ["file_path", "old_string", "new_string"],
			additionalProperties: false,
		},
	},
} satisfies OpenAI.Chat.ChatCompletionTool
