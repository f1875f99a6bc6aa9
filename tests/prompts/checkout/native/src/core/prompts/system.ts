import * as vscode from "vscode"

import { defaultModeSlug, getModeSelection } from "../../shared/modes"
import {
	getRulesSection,
	getSystemInfoSection,
	getObjectiveSection,
	getSharedToolUseSection,
	getToolUseGuidelinesSection,
	getCapabilitiesSection,
	getModesSection,
	getSkillsSection,
	addCustomInstructions,
	markdownFormattingSection,
} from "./sections"

export const SYSTEM_PROMPT = async (
	context: vscode.ExtensionContext,
	cwd: string,
	mode: string = defaultModeSlug,
	globalCustomInstructions?: string,
	language?: string,
	settings?: { isStealthModel?: boolean },
	skillsManager?: any,
): Promise<string> => {
	if (!context) {
		throw new Error("A context is needed")
	}

	const { roleDefinition, baseInstructions } = getModeSelection(mode)

	const [modesSection, skillsSection] = await Promise.all([
		getModesSection(context),
		getSkillsSection(skillsManager, mode as string),
	])

	// No catalogue: tools travel beside the prompt.
	const toolsCatalog = ""

	return `${roleDefinition}

${markdownFormattingSection()}

${getSharedToolUseSection()}${toolsCatalog}

	${getToolUseGuidelinesSection()}

${getCapabilitiesSection(cwd)}

${modesSection}
${skillsSection ? `\n${skillsSection}` : ""}
${getRulesSection(cwd, settings)}

${getSystemInfoSection(cwd)}

${getObjectiveSection()}

${await addCustomInstructions(baseInstructions, globalCustomInstructions || "", cwd, mode, {
		language: language ?? vscode.env.language,
		settings,
	})}`
}
