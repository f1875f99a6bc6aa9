import fs from "fs/promises"
import path from "path"

import { LANGUAGES, isLanguage } from "../../../shared/language"

const LOCK = "\u{1F512}"

function formatDirectoryContent(files: Array<{ filename: string; content: string }>): string {
	if (files.length === 0) return ""

	return files
		.map((file) => {
			return `# Rules from ${file.filename}:\n${file.content}`
		})
		.join("\n\n")
}

async function loadAgentRules(cwd: string): Promise<string> {
	for (const filename of ["AGENTS.md", "AGENT.md"]) {
		try {
			const content = (await fs.readFile(path.join(cwd, filename), "utf-8")).trim()
			if (content) {
				return `# Standing orders for agents, from ${filename}:\n${content}`
			}
		} catch (err) {
			// A missing file is the common case.
		}
	}
	return ""
}

export async function addCustomInstructions(
	modeCustomInstructions: string,
	globalCustomInstructions: string,
	cwd: string,
	mode: string,
	options: { language?: string; ignoreInstructions?: string } = {},
): Promise<string> {
	const sections = []

	if (options.language) {
		const languageName = isLanguage(options.language) ? LANGUAGES[options.language] : options.language
		sections.push(
			`Tongue:\nThink and answer in "${languageName}" (${options.language}) until the person asks for another.`,
		)
	}

	if (typeof globalCustomInstructions === "string" && globalCustomInstructions.trim()) {
		sections.push(`Wishes for every mode:\n${globalCustomInstructions.trim()}`)
	}

	if (typeof modeCustomInstructions === "string" && modeCustomInstructions.trim()) {
		sections.push(`Wishes for this mode:\n${modeCustomInstructions}`)
	}

	const rules: string[] = []

	if (mode) {
		rules.push(`# Rules from .kilocoderules-${mode}:`)
	}
	if (options.ignoreInstructions) {
		rules.push(`# Closed files\n\n(Marked with ${LOCK} in every listing.)\n\n${options.ignoreInstructions}`)
	}

	const agentRules = await loadAgentRules(cwd)
	if (agentRules?.trim()) {
		rules.push(agentRules.trim())
	}

	if (rules.length > 0) {
		sections.push(`Rules:\n\n${rules.join("\n\n")}`)
	}

	const joinedSections = sections.join("\n\n")

	return joinedSections
		? `
====

WISHES OF THE PERSON

What follows was written by the person and holds as long as it does not break the rules of tool use.

${joinedSections}
`
		: ""
}
