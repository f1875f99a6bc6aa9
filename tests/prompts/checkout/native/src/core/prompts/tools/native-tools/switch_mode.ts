import type OpenAI from "openai"

const SWITCH_MODE_DESCRIPTION = `Asks to go on in another mode; the person may refuse.`

export default {
	type: "function",
	function: {
		name: "switch_mode",
		description: SWITCH_MODE_DESCRIPTION,
		strict: true,
		parameters: {
			type: "object",
			properties: {
				mode_slug: { type: "string", description: `Its slug ("code", "ask")` },
				reason: { type: "string", description: `Why` },
			},
			required: ["mode_slug", "reason"],
			additionalProperties: false,
		},
	},
} satisfies OpenAI.Chat.ChatCompletionTool
