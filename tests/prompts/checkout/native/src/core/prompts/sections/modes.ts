import * as vscode from "vscode"

import { getAllModesWithPrompts } from "../../../shared/modes"

/** First sentence, or all of it. */
const firstSentence = (text: string) => text.split(".")[0] || text

export async function getModesSection(context: vscode.ExtensionContext): Promise<string> {
	const allModes = await getAllModesWithPrompts(context)

	const lines = allModes.map(({ name, slug, whenToUse, roleDefinition }) => {
		const description = whenToUse?.trim() ? whenToUse : firstSentence(roleDefinition)
		return "  * \"" + name + '" mode (' + slug + ") - " + description
	})

	return ["====", "", "MODES", "", "- Modes at hand:", ...lines].join("\n") + "\n"
}
