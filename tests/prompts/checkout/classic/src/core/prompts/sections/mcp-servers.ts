import type { McpHub } from "../../../services/mcp/McpHub"
import { DiffStrategy } from "../../../shared/tools"

export async function getMcpServersSection(
	mcpHub?: McpHub,
	diffStrategy?: DiffStrategy,
	enableMcpServerCreation?: boolean,
): Promise<string> {
	if (!mcpHub) {
		return ""
	}

	const connectedServers =
		mcpHub.getServers().length > 0
			? `${mcpHub
					.getServers()
					.filter((server) => server.status === "connected")
					.map((server) => {
						const tools = server.tools
							?.filter((tool) => tool.enabledForPrompt !== false)
							?.map((tool) => {
								const schemaStr = tool.inputSchema
									? `    Accepts:
		${JSON.stringify(tool.inputSchema, null, 2).split("\n").join("\n    ")}`
									: ""

								return `- ${tool.name}: ${tool.description}\n${schemaStr}`
							})
							.join("\n\n")

						const templates = server.resourceTemplates
							?.map((template) => `- ${template.uriTemplate} (${template.name}): ${template.description}`)
							.join("\n")

						const resources = server.resources
							?.map((resource) => `- ${resource.uri} (${resource.name}): ${resource.description}`)
							.join("\n")

						const config = JSON.parse(server.config)

						return (
							`## ${server.name}${config.command ? ` (started as \`${config.command}${config.args && Array.isArray(config.args) ? ` ${config.args.join(" ")}` : ""}\`)` : ""}` +
							(server.instructions ? `\n\n### What the server says of itself\n${server.instructions}` : "") +
							(tools ? `\n\n### Its tools\n${tools}` : "") +
							(templates ? `\n\n### Patterns of its resources\n${templates}` : "") +
							(resources ? `\n\n### Its fixed resources\n${resources}` : "")
						)
					})
					.join("\n\n")}`
			: "(Nothing is plugged in at the moment)"

	const baseSection = `PLUGGED-IN SERVERS

Servers that speak the Model Context Protocol lend further tools and resources. Two sorts exist:

1. Local ones: a process on this machine, spoken to over standard input and output
2. Distant ones: reached over HTTP with Server-Sent Events

# Servers that answer now

Their tools are called through \`use_mcp_tool\`, their resources fetched through \`access_mcp_resource\`.

${connectedServers}`

	if (!enableMcpServerCreation) {
		return baseSection
	}

	return (
		baseSection +
		`
## Making a new server

When the person wants "a tool that does X" and X needs the outside world, load the how-to first:
<fetch_instructions>
<task>create_mcp_server</task>
</fetch_instructions>`
	)
}
