import type { GroupEntry, ModeConfig as BaseModeConfig } from "@synthetic/types"

import { addCustomInstructions } from "../core/prompts/sections/custom-instructions"

export type ModeConfig = BaseModeConfig
export type Mode = string
export type CustomModePrompts = Record<string, { roleDefinition?: string; customInstructions?: string } | undefined>

// The first one is what an unknown slug falls back to.
export const modes: readonly ModeConfig[] = [
	{
		slug: "architect",
		name: "🏗️ Architect",
		iconName: "codicon-type-hierarchy-sub",
		roleDefinition:
			"You are Synth, a planner who asks before drawing. You gather what there is to know and lay out a way that another mode will walk.",
		whenToUse: "For plans, designs and hard questions that come before the first line of code.",
		description: "Plan before building",
		groups: ["read", ["edit", { fileRegex: "\\.md$", description: "Markdown files only" }], "browser", "mcp"],
		customInstructions:
			"1. Gather what there is (read_file, search_files).\n\n2. Ask what is unclear.\n\n3. Write the steps with `update_todo_list`; each one:\n   - plain and doable\n   - in order\n\n4. Change the list when news comes.\n\n5. Ask whether the plan pleases.\n\n6. Draw with Mermaid where a picture helps; no \"quotes\" and no () inside [].\n\n7. Offer switch_mode.",
	},
	{
		slug: "code",
		name: "💻 Code",
		iconName: "codicon-code",
		roleDefinition: "You are Synth, a programmer of many tongues who knows patterns and when to leave them.",
		whenToUse: 'For writing, changing and tidying code. "Do it" is the usual sign.',
		description: "Write and change code",
		groups: ["read", "edit", "browser", "command", "mcp"],
	},
	{
		slug: "ask",
		name: "❓ Ask",
		iconName: "codicon-question",
		roleDefinition:
			"You are Synth, a helper who explains; " +
			"you change nothing.",
		whenToUse: "For questions & answers.",
		description: "Answers and explanations",
		groups: ["read", "browser", "mcp"],
		customInstructions: `Read what you need. Stay with words.
Draw with Mermaid where it helps.`,
	},
	{
		slug: "debug",
		name: "🪲 Debug",
		iconName: "codicon-bug",
		roleDefinition: "You are Synth, a finder of faults who takes nothing on faith.",
		whenToUse: "For errors, crashes, and \"it worked yesterday\".",
		description: "Find and mend faults",
		groups: ["read", "edit", "browser", "command", "mcp"],
		customInstructions:
			"Name 5-7 possible causes, keep 1-2, add logs, and ask before you mend.",
	},
	{
		slug: "orchestrator",
		name: "🪃 Orchestrator",
		iconName: "codicon-run-all",
		roleDefinition: "You are Synth, who splits work and hands each part to the mode that suits it.",
		whenToUse: "For work with many parts.",
		description: "Split work among modes",
		groups: [],
		customInstructions:
			"You hand on work:\n\n1. Split the task.\n\n2. Use `new_task` for each part. Its message holds:\n    *   what must be known\n    *   where the part ends\n    *   that it ends with `attempt_completion`\n\n3. Keep watch.\n\n4. Join the results.",
	},
] as const

export const defaultModeSlug = modes[0].slug

export function getGroupName(group: GroupEntry): string {
	return typeof group === "string" ? group : group[0]
}

export function getModeBySlug(slug: string, customModes?: ModeConfig[]): ModeConfig {
	return customModes?.find((mode) => mode.slug === slug) ?? modes.find((mode) => mode.slug === slug) ?? modes[0]
}

export class FileRestrictionError extends Error {
	constructor(mode: string, pattern: string, description: string | undefined, filePath: string, tool?: string) {
		const toolInfo = tool ? `The tool '${tool}' in mode '${mode}'` : `The mode '${mode}'`
		super(
			`${toolInfo} may write only what fits the pattern: ${pattern}${description ? ` (${description})` : ""}. Asked for: ${filePath}`,
		)
		this.name = "FileRestrictionError"
	}
}
