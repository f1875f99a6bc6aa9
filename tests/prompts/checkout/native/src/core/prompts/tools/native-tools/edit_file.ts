import type OpenAI from "openai"

const EDIT_FILE_DESCRIPTION = `Replaces one text by another, or makes a file.

MULTIPLE PLACES: say how many with expected_replacements.
FIRST the file is read.	Then it is edited.`

export default {
	type: "function",
	function: {
		name: "edit_file",
		description: EDIT_FILE_DESCRIPTION,
		strict: false,
		parameters: {
			type: "object",
			properties: {
				file_path: { type: "string", description: "File" },
				old_string: {
					type: "string",
					description:
						"What is there, to the blank. Empty makes a new file.",
				},
				new_string: { type: "string", description: "What shall be there" },
				expected_replacements: { type: "number", description: "How many times; 1 unless said otherwise", minimum: 1 },
			},
			required: ["file_path", "old_string", "new_string"],
			additionalProperties: false,
		},
	},
} satisfies OpenAI.Chat.ChatCompletionTool
