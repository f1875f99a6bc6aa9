import * as os from "os"

import type { ModeConfig, CustomModePrompts } from "../../shared/modes"
import { defaultModeSlug, getModeBySlug, getGroupName, getModeSelection } from "../../shared/modes"
import type { SystemPromptSettings } from "./types"
import { getToolDescriptionsForMode } from "./tools"
import { PromptVariables, loadSystemPromptFile } from "./sections/custom-system-prompt"
import {
	getRulesSection,
	getSystemInfoSection,
	getObjectiveSection,
	getSharedToolUseSection,
	getMcpServersSection,
	getToolUseGuidelinesSection,
	getCapabilitiesSection,
	getModesSection,
	addCustomInstructions,
	markdownFormattingSection,
} from "./sections"

/** Looks up an override and treats a blank one as absent: `""` is not an instruction. */
export function getPromptComponent(customModePrompts: CustomModePrompts | undefined, mode: string) {
	const component = customModePrompts?.[mode]
	return component && Object.keys(component).length > 0 ? component : undefined
}

async function generatePrompt(
	cwd: string,
	supportsComputerUse: boolean,
	mode: string = defaultModeSlug,
	mcpHub?: any,
	diffStrategy?: any,
	customModePrompts?: CustomModePrompts,
	customModeConfigs?: ModeConfig[],
	globalCustomInstructions?: string,
	diffEnabled?: boolean,
	language?: string,
	settings?: SystemPromptSettings,
): Promise<string> {
	if (!cwd) {
		throw new Error("A folder is needed before a prompt can be built")
	}

	const effectiveDiffStrategy = diffEnabled ? diffStrategy : undefined
	const modeConfig = getModeBySlug(mode, customModeConfigs)
	const { roleDefinition, baseInstructions } = getModeSelection(mode, customModePrompts?.[mode], customModeConfigs)
	const hasMcpGroup = modeConfig.groups.some((entry) => getGroupName(entry) === "mcp")
	const hasMcpServers = mcpHub && mcpHub.getServers().length > 0

	const [modesSection, mcpServersSection] = await Promise.all([
		getModesSection(customModeConfigs),
		hasMcpGroup && hasMcpServers
			? getMcpServersSection(mcpHub, effectiveDiffStrategy, true)
			: Promise.resolve(""),
	])

	// The order of the parts is fixed; an empty part leaves its blank lines behind.
	const basePrompt = `${roleDefinition}

${markdownFormattingSection()}

${getSharedToolUseSection()}

${getToolDescriptionsForMode(mode, cwd, supportsComputerUse, effectiveDiffStrategy, mcpHub, settings)}

${getToolUseGuidelinesSection(settings)}

${mcpServersSection}

${getCapabilitiesSection(cwd, supportsComputerUse, mcpHub, effectiveDiffStrategy)}

${modesSection}

${getRulesSection(cwd, supportsComputerUse, effectiveDiffStrategy)}

${getSystemInfoSection(cwd)}

${getObjectiveSection()}

${await addCustomInstructions(baseInstructions, globalCustomInstructions || "", cwd, mode, { language: language ?? "en" })}`

	return basePrompt
}

export const SYSTEM_PROMPT = async (
	cwd: string,
	supportsComputerUse: boolean,
	mode: string = defaultModeSlug,
	customModePrompts?: CustomModePrompts,
	customModes?: ModeConfig[],
	language?: string,
): Promise<string> => {
	const variables: PromptVariables = { workspace: cwd, mode, language, shell: process.env.SHELL, operatingSystem: os.type() }
	const fileCustomSystemPrompt = await loadSystemPromptFile(cwd, mode, variables)
	const { roleDefinition, baseInstructions } = getModeSelection(mode, customModePrompts?.[mode], customModes)

	if (fileCustomSystemPrompt) {
		const customInstructions = await addCustomInstructions(baseInstructions, "", cwd, mode, { language })

		return `${roleDefinition}

${fileCustomSystemPrompt}

${customInstructions}`
	}

	return generatePrompt(cwd, supportsComputerUse, mode, undefined, undefined, customModePrompts, customModes)
}
