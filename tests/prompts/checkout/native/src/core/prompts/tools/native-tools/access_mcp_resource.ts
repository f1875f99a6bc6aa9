import type OpenAI from "openai"

const ACCESS_MCP_RESOURCE_DESCRIPTION = `Fetches a resource of a plugged-in server.

Example: { "server_name": "tide", "uri": "tide://dover/today" }`

export default {
	type: "function",
	function: {
		name: "access_mcp_resource",
		description: ACCESS_MCP_RESOURCE_DESCRIPTION,
		strict: true,
		parameters: {
			type: "object",
			properties: {
				server_name: { type: "string", description: `Its server` },
				uri: { type: "string", description: `Its address` },
			},
			required: ["server_name", "uri"],
			additionalProperties: false,
		},
	},
} satisfies OpenAI.Chat.ChatCompletionTool
