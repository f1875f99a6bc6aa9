import type { McpHub } from "../../../services/mcp/McpHub"
import type { DiffStrategy } from "../../../shared/tools"

export async function createMCPServerInstructions(
	mcpHub: McpHub | undefined,
	diffStrategy: DiffStrategy | undefined,
): Promise<string> {
	if (!diffStrategy || !mcpHub) throw new Error("Missing server hub or diff strategy")

	return `The person wants something like "a tool that fetches the tide". Build a server for it.

Unless told otherwise it lives in: ${await mcpHub.getMcpServersPath()}

### Settings

\`\`\`json
{
  "mcpServers": {
    "tide": {
      "command": "node",
      "args": ["/path/to/tide/index.js"],
      "env": { "TIDE_KEY": "\${key}" }
    }
  }
}
\`\`\`

### Code of the example

\`\`\`typescript
#!/usr/bin/env node
import { Server } from "somewhere";

const KEY = process.env.TIDE_KEY;
if (!KEY) {
  throw new Error('TIDE_KEY is empty');
}

const url = \`https://tide.example/\${place}?key=\${KEY}\`;
const pattern = /^\\d{4}-\\d{2}$/;
console.error("running\\n");
\`\`\`

Then add it to '${await mcpHub.getMcpSettingsFilePath()}'.

## Changing a server

Some of these may be near the wish: ${(() => {
		if (!mcpHub) return "(none runs)"
		const servers = mcpHub
			.getServers()
			.map((server) => server.name)
			.join(", ")
		return servers || "(none runs)"
	})()}. Change one with apply_diff${diffStrategy ? " or write_to_file" : ""} if so.

A server is not always the answer: a plain command often is.`
}
