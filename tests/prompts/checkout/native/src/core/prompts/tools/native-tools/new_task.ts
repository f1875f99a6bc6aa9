import type OpenAI from "openai"

const NEW_TASK_DESCRIPTION = `Starts a fresh task.

ALONE: no other call stands beside it in the message.`

export default {
	type: "function",
	function: {
		name: "new_task",
		description: NEW_TASK_DESCRIPTION,
		strict: true,
		parameters: {
			type: "object",
			properties: {
				mode: { type: "string", description: `Its mode` },
				message: { type: "string", description: `Its first words` },
				todos: { type: ["string", "null"], description: `Its steps, as a checklist; null for none` },
			},
			required: ["mode", "message", "todos"],
			additionalProperties: false,
		},
	},
} satisfies OpenAI.Chat.ChatCompletionTool
