import type OpenAI from "openai"

const edit = {
	type: "function",
	function: {
		name: "edit",
		description: [
			"Replaces a text in a file.",
			"",
			"- It must be read first.",
			`- \`old_string\` stands there once, or replace_all is true.`,
		].join("\n"),
		parameters: {
			type: "object",
			properties: {
				file_path: { type: "string", description: "File" },
				old_string: { type: "string", description: "What is there" },
				new_string: { type: "string", description: "What shall be there" },
				replace_all: { type: "boolean", description: "Everywhere (false)", default: false },
			},
			required: ["file_path", "old_string", "new_string"],
			additionalProperties: false,
		},
	},
} satisfies OpenAI.Chat.ChatCompletionTool

export default edit
