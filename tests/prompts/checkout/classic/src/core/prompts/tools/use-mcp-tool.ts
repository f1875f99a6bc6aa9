import { ToolArgs } from "../types"

export function getUseMcpToolDescription(args: ToolArgs): string | undefined {
	if (!args.mcpHub) {
		return undefined
	}
	return `## use_mcp_tool
What it does: calls a tool of a plugged-in server; its schema tells the inputs.
Inputs:
- server_name: (required)
- tool_name: (required)
- arguments: (required) a JSON object
How to call:

<use_mcp_tool>
<server_name>weather</server_name>
<tool_name>forecast</tool_name>
<arguments>
{
  "city": "Zürich",
  "days": 3,
  "note": "a \\"quoted\\" word and a \\\\ backslash"
}
</arguments>
</use_mcp_tool>`
}
