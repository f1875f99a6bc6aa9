import { createMCPServerInstructions } from "./create-mcp-server"
import { createModeInstructions } from "./create-mode"

const loaders = {
	create_mcp_server: (detail: any) => createMCPServerInstructions(detail.hub),
	create_mode: (detail: any) => createModeInstructions(detail.context),
} as const

export const fetchInstructions = async (text: keyof typeof loaders, detail: any): Promise<string> =>
	(await loaders[text]?.(detail)) ?? ""
