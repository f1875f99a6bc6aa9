import type OpenAI from "openai"

const EXECUTE_COMMAND_DESCRIPTION = `Runs a command. Relative paths serve best: \`touch ./a/b.txt\`.

Example: { "command": "npm run dev", "cwd": null, "timeout": null }
Example with quotes: { "command": "echo \\"$HOME\\" '${"quoted"}'", "cwd": "/srv", "timeout": 5 }`

export default {
	type: "function",
	function: {
		name: "execute_command",
		description: EXECUTE_COMMAND_DESCRIPTION,
		strict: true,
		parameters: {
			type: "object",
			properties: {
				command: { type: "string", description: `The command` },
				cwd: { type: ["string", "null"], description: `Folder to run in` },
				timeout: { type: ["number", "null"], description: `Seconds to wait; it runs on afterwards` },
			},
			required: ["command", "cwd", "timeout"],
			additionalProperties: false,
		},
	},
} satisfies OpenAI.Chat.ChatCompletionTool
