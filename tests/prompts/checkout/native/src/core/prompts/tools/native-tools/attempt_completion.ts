import type OpenAI from "openai"

const ATTEMPT_COMPLETION_DESCRIPTION = `Shows the person what was reached.

NOT before each call is known to have worked!`

const RESULT_PARAMETER_DESCRIPTION = `Last words, ` + `without a question.`

export default {
	type: "function",
	function: {
		name: "attempt_completion",
		description: ATTEMPT_COMPLETION_DESCRIPTION,
		strict: true,
		parameters: {
			type: "object",
			properties: {
				result: { type: "string", description: RESULT_PARAMETER_DESCRIPTION },
			},
			required: ["result"],
			additionalProperties: false,
		},
	},
} satisfies OpenAI.Chat.ChatCompletionTool
