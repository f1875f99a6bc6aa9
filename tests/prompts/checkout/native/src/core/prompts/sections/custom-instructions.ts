import path from "path"

type Options = { language?: string; rooIgnoreInstructions?: string; settings?: { useAgentRules?: boolean } }

const HEADINGS: Readonly<Record<"global" | "mode" | "language", (value: string) => string>> = {
	global: (value) => `Wishes for all modes:\n${value}`,
	mode: (value) => "Wishes for this mode:\n" + value,
	language(value) {
		return `Tongue:\nAnswer in ${value}.`
	},
}

export async function addCustomInstructions(
	modeCustomInstructions: string,
	globalCustomInstructions: string,
	cwd: string,
	mode: string,
	{ language, rooIgnoreInstructions, settings = { useAgentRules: true } }: Options = {},
): Promise<string> {
	const sections: string[] = []

	language && sections.push(HEADINGS.language(language))
	globalCustomInstructions.trim() && sections.push(HEADINGS.global(globalCustomInstructions.trim()))
	modeCustomInstructions.trim() && sections.push(HEADINGS["mode"](modeCustomInstructions))

	const rules = [
		`# Rules from rules-${mode} folders:`,
		rooIgnoreInstructions,
		settings.useAgentRules !== false && `# Standing orders (AGENTS.md) below ${path.basename(cwd)}:`,
	].filter(Boolean)

	if (rules.length > 0) sections.push(`Rules:\n\n${rules.join("\n\n")}`)

	return sections.length === 0
		? ""
		: `
====

WISHES OF THE PERSON

The person wrote what follows:

${sections.join("\n\n")}`
}
