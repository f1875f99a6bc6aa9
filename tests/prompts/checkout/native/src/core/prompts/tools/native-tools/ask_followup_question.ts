import type OpenAI from "openai"

const ASK_FOLLOWUP_QUESTION_DESCRIPTION = `Puts a question to the person, with answers to choose from.

Example: { "question": "Which port?", "follow_up": [{ "text": "8080", "mode": null }] }`

const FOLLOW_UP = {
	list: `One to four answers; the best first`,
	text: "An answer, complete in itself",
	mode: 'A mode to go to (e.g. "code"), or null',
} as const

export default {
	type: "function",
	function: {
		name: "ask_followup_question",
		description: ASK_FOLLOWUP_QUESTION_DESCRIPTION,
		strict: true,
		parameters: {
			type: "object",
			properties: {
				question: { type: "string", description: `Clear and short` },
				follow_up: {
					type: "array",
					description: FOLLOW_UP.list,
					items: {
						type: "object",
						properties: {
							text: { type: "string", description: FOLLOW_UP.text },
							mode: { type: ["string", "null"], description: FOLLOW_UP["mode"] },
						},
						required: ["text", "mode"],
						additionalProperties: false,
					},
					minItems: 1,
					maxItems: 4,
				},
			},
			required: ["question", "follow_up"],
			additionalProperties: false,
		},
	},
} satisfies OpenAI.Chat.ChatCompletionTool
