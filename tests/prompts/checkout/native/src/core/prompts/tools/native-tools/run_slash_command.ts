import type OpenAI from "openai"

const RUN_SLASH_COMMAND_DESCRIPTION = 'Loads the words behind a command, e.g. "/init".\nSay no slash.'

export default {
	type: "function",
	function: {
		name: "run_slash_command",
		description: RUN_SLASH_COMMAND_DESCRIPTION,
		strict: true,
		parameters: {
			type: "object",
			properties: {
				command: { type: "string", description: "Its name" },
				args: { type: ["string", "null"], description: "Further words" },
			},
			required: ["command", "args"],
			additionalProperties: false,
		},
	},
} satisfies OpenAI.Chat.ChatCompletionTool
