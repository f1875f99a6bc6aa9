import { type GroupEntry, type ModeConfig, DEFAULT_MODES } from "@synthetic/types"

export const modes = DEFAULT_MODES

export const defaultModeSlug = modes[0].slug

export function getGroupName(group: GroupEntry): string {
	return typeof group === "string" ? group : group[0]
}

export function getModeSelection(mode: string, customModes?: ModeConfig[]) {
	const config = customModes?.find((m) => m.slug === mode) ?? modes.find((m) => m.slug === mode) ?? modes[0]
	return {
		roleDefinition: config.roleDefinition || "",
		baseInstructions: config.customInstructions || "",
	}
}
