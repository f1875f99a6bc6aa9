import * as path from "path"
import * as vscode from "vscode"

import { GlobalFileNames } from "../../../shared/globalFileNames"
import { getSettingsDirectoryPath } from "../../../utils/storage"

export async function createModeInstructions(context: vscode.ExtensionContext | undefined): Promise<string> {
	if (!context) throw new Error("Missing context")

	const settingsDir = await getSettingsDirectoryPath(context.globalStorageUri.fsPath)
	const customModesPath = path.join(settingsDir, GlobalFileNames.customModes)

	return `
A mode of one's own is written in one of two files:
  1. for all folders: '${customModesPath}'
  2. for this folder: '.kilocodemodes' at its top

The second wins where both name a slug.

customModes:
  - slug: gardener      # letters, digits and hyphens
    name: 🌱 Gardener
    roleDefinition: >-
      You tend what others planted.
    whenToUse: >-
      When nothing new is wanted.
    groups:
      - read
      - - edit
        - fileRegex: \\.(css|html)$
          description: Leaves only
    customInstructions: |-
      Water first.
      \tThen wait.`
}
