import { getAllModesWithPrompts, type ModeConfig } from "../../../shared/modes"

export async function getModesSection(customModes?: ModeConfig[], skipXml: boolean = false): Promise<string> {
	const allModes = await getAllModesWithPrompts(customModes)

	let modesContent = `====

MODES

- Modes you may work in:
${allModes
	.map((mode: ModeConfig) => {
		let description: string
		if (mode.whenToUse && mode.whenToUse.trim() !== "") {
			description = mode.whenToUse.replace(/\n/g, "\n    ")
		} else {
			description = mode.roleDefinition.split(".")[0]
		}
		return `  * "${mode.name}" mode (${mode.slug}) - ${description}`
	})
	.join("\n")}`

	if (!skipXml) {
		modesContent += `
Asked to add or change a mode, load the how-to by name:
<fetch_instructions>
<task>create_mode</task>
</fetch_instructions>
`
	}

	return modesContent
}
