import type OpenAI from "openai"

const DESCRIPTION = `Paints a picture 🎨 from words, or repaints one.`

const IMAGE = `A picture to start from (png, jpg, gif, webp), or null`

export default {
	type: "function",
	function: {
		name: "generate_image",
		description: DESCRIPTION,
		strict: true,
		parameters: {
			type: "object",
			properties: {
				prompt: { type: "string", description: `What to paint` },
				path: { type: "string", description: `Where to keep it; an ending is added if it has none` },
				image: { type: ["string", "null"], description: IMAGE },
			},
			required: ["prompt", "path", "image"],
			additionalProperties: false,
		},
	},
} satisfies OpenAI.Chat.ChatCompletionTool
