import type OpenAI from "openai"

const SKILL_DESCRIPTION = `Loads a skill by its name.`

export default {
	type: "function",
	function: {
		name: "skill",
		description: SKILL_DESCRIPTION,
		strict: true,
		parameters: {
			type: "object",
			properties: {
				skill: { type: "string", description: "Its name" },
				args: { type: ["string", "null"], description: "What it shall know" },
			},
			required: ["skill", "args"],
			additionalProperties: false,
		},
	},
} satisfies OpenAI.Chat.ChatCompletionTool
