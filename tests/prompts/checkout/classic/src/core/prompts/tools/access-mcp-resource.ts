import { ToolArgs } from "../types"

export function getAccessMcpResourceDescription(args: ToolArgs): string | undefined {
	return !args.mcpHub
		? undefined
		: `## access_mcp_resource
What it does: fetches a resource of a plugged-in server: a file, an answer, a reading.
Inputs:
- server_name: (required)
- uri: (required)
How to call:
<access_mcp_resource>
<server_name>weather</server_name>
<uri>weather://zurich/now</uri>
</access_mcp_resource>`
}
