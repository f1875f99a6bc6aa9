import type OpenAI from "openai"

const WRITE_TO_FILE_DESCRIPTION =
	"Writes a whole file. " +
	"All of it, \"every line\"; a file of the same name is gone afterwards.\n\n" +
	`Example: { "path": "a.json", "content": "{\\n  \\"a\\": 1\\n}" }`

export default {
	type: "function",
	function: {
		name: "write_to_file",
		description: WRITE_TO_FILE_DESCRIPTION,
		strict: true,
		parameters: {
			type: "object",
			properties: {
				path: { type: "string", description: "File, from the workspace" },
				content: { type: "string", description: "All that it shall hold" },
			},
			required: ["path", "content"],
			additionalProperties: false,
		},
	},
} satisfies OpenAI.Chat.ChatCompletionTool
