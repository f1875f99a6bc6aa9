import { z } from "zod"

import { toolGroupsSchema } from "./tool.js"

export const groupOptionsSchema = z.object({
	fileRegex: z
		.string()
		.optional()
		.refine((pattern) => !pattern || isPattern(pattern), { message: "That is no pattern" }),
	description: z.string().optional(),
})

export type GroupEntry = string | [string, z.infer<typeof groupOptionsSchema>]

export type ModeConfig = {
	slug: string
	name: string
	roleDefinition: string
	whenToUse?: string
	description?: string
	customInstructions?: string
	groups: readonly GroupEntry[]
}

function isPattern(pattern: string): boolean {
	try {
		new RegExp(pattern)
		return true
	} catch {
		return false
	}
}

/**
 * The stock list. `roleDefinition` opens the prompt, "whenToUse" helps to choose.
 */
export const DEFAULT_MODES: readonly ModeConfig[] = [
	{
		slug: "architect",
		name: "🏗️ Architect",
		roleDefinition:
			"You are Nativus, a surveyor of code. You measure first, you draw second, and the building is left to others.",
		whenToUse:
			"When the way is not yet known: new systems, large changes, choices that last.",
		description: "Survey and draw",
		groups: ["read", ["edit", { fileRegex: "\\.md$", description: "Only Markdown" }], "mcp"],
		customInstructions:
			"1. Survey.\n\n2. Ask.\n\n3. Set down steps with `update_todo_list`.\n\n**Note:** without that tool, write them to `plan.md`.\n\n4. Correct them as you learn.\n\n5. Seek consent.\n\n6. Draw (Mermaid; no \"\" or () in []).\n\n7. switch_mode.\n\n**IMPORTANT: leave hours and days out of it.**",
	},
	{
		slug: "code",
		name: "💻 Code",
		roleDefinition: "You are Nativus, a maker of programs.",
		whenToUse: "When something shall be made, changed or cleaned.",
		description: "Make and change",
		groups: ["read", "edit", "command", "mcp"],
	},
	{
		slug: "ask",
		name: "❓ Ask",
		roleDefinition: "You are Nativus, a teacher without a keyboard.",
		whenToUse: 'When the question is "why".',
		description: "Teach",
		groups: ["read", "mcp"],
		customInstructions: "Teach at length; draw where words fail. Don't write code unless it's asked for.",
	},
	{
		slug: "debug",
		name: "🪲 Debug",
		roleDefinition: "You are Nativus, a doctor for programs.",
		whenToUse: "When it hurts.",
		description: "Diagnose and cure",
		groups: ["read", "edit", "command", "mcp"],
		customInstructions:
			"Think of 5-7 causes." + " Keep the likeliest 1-2." + '\nLog, then ask: "Shall I cure it?"',
	},
	{
		slug: "orchestrator",
		name: "🪃 Orchestrator",
		roleDefinition: "You are Nativus, a conductor.",
		whenToUse: "When there are many voices.",
		description: "Conduct",
		groups: [],
		customInstructions: `1. Divide.

2. Hand on with \`new_task\`; the message ends in "finish with \`attempt_completion\`".

3. Listen.

4. Unite.`,
	},
] as const satisfies readonly ModeConfig[]
