import type OpenAI from "openai"
import type { McpHub } from "../../../../services/mcp/McpHub"

export function getMcpServerTools(mcpHub?: McpHub): OpenAI.Chat.ChatCompletionTool[] {
	if (!mcpHub) return []

	return mcpHub.getServers().flatMap((server) =>
		(server.tools ?? []).map((tool) => ({
			type: "function" as const,
			function: {
				name: `mcp--${server.name}--${tool.name}`,
				description: tool.description ?? `A tool of ${server.name} without words`,
				parameters: tool.inputSchema,
				strict: false,
			},
		})),
	)
}
