import { DiffStrategy } from "../../../shared/tools"
import { McpHub } from "../../../services/mcp/McpHub"

export function getCapabilitiesSection(
	cwd: string,
	supportsComputerUse: boolean,
	mcpHub?: McpHub,
	diffStrategy?: DiffStrategy,
	codeIndexManager?: { isInitialized?: boolean },
	useMorph = false,
): string {
	return `====

WHAT YOU CAN DO

- You hold tools to run commands, list, read and write files, ask questions${
		supportsComputerUse ? ", drive a browser" : ""
	} and more.
- The first message lists every path below '${cwd}' (to a limit). Folder names hint at the design; endings hint at the language.${
		codeIndexManager?.isInitialized
			? `
- \`codebase_search\` finds code by meaning. "where are tokens refreshed" is a fine query.`
			: ``
	}
- \`search_files\` runs a pattern over a folder and shows a few lines around each hit. Read the hits with read_file, then change them with ${useMorph ? "edit_file" : diffStrategy ? "apply_diff or write_to_file" : "write_to_file"}.
- \`execute_command\` opens a terminal; say in a clause what the command does.${
		supportsComputerUse
			? "\n- `browser_action` opens a page, clicks, types and hands back a picture. It isn't a toy: use it to *check* your web work.\n  - Example: after touching a stylesheet, launch the page and look."
			: ""
	}${
		mcpHub
			? `
- Plugged-in servers may lend you more tools. Each is different; none is required.
`
			: ""
	}`
}
