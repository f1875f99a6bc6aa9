import { McpHub } from "../../../services/mcp/McpHub"

export function getCapabilitiesSection(cwd: string, mcpHub?: McpHub): string {
	return `====

WHAT YOU CAN DO

- Commands, files, searches, questions: all at hand.
- Paths below '${cwd}' come with the first message.${mcpHub ? `
- Plugged-in servers lend more (mcp--server--tool).
` : ""}
- Long commands may run on; you hear from them.`
}
