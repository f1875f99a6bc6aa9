import { createMCPServerInstructions } from "./create-mcp-server"
import { createModeInstructions } from "./create-mode"

interface InstructionsDetail {
	mcpHub?: any
	diffStrategy?: any
	context?: any
}

export async function fetchInstructions(text: string, detail: InstructionsDetail): Promise<string> {
	switch (text) {
		case "create_mcp_server": {
			return await createMCPServerInstructions(detail.mcpHub, detail.diffStrategy)
		}
		case "create_mode": {
			return await createModeInstructions(detail.context)
		}
		default: {
			return ""
		}
	}
}
