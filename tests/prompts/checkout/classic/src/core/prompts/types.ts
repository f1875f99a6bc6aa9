import type { Mode, DiffStrategy, McpHub } from "../../shared/tools"

export type SystemPromptSettings = {
	maxConcurrentFileReads: number
	todoListEnabled: boolean
	useAgentRules: boolean
	newTaskRequireTodos: boolean
}

export type ToolArgs = {
	cwd: string
	supportsComputerUse: boolean
	diffStrategy?: DiffStrategy
	browserViewportSize?: string
	mcpHub?: McpHub
	toolOptions?: { shape: "full" | "short" }
	partialReadsEnabled?: boolean
	settings?: Partial<SystemPromptSettings>
	mode?: Mode
}
