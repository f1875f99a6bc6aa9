import type OpenAI from "openai"

const LIST_FILES_DESCRIPTION = `Names what is in a folder.

Parameters:
- path: (required)
- recursive: (required) true for all below

Example: { "path": ".", "recursive": false }`

export default {
	type: "function",
	function: {
		name: "list_files",
		description: LIST_FILES_DESCRIPTION,
		strict: true,
		parameters: {
			type: "object",
			properties: {
				path: {
					type: "string",
					description: "Folder, from the workspace",
				},
				recursive: {
					type: "boolean",
					description: `true: all below; false: the top only`,
				},
			},
			required: ["path", "recursive"],
			additionalProperties: false,
		},
	},
} satisfies OpenAI.Chat.ChatCompletionTool
