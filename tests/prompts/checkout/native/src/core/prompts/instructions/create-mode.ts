import * as path from "path"
import * as vscode from "vscode"

export async function createModeInstructions(context: vscode.ExtensionContext | undefined): Promise<string> {
	if (!context) throw new Error("Missing context")

	const customModesPath = path.join(context.globalStorageUri.fsPath, "settings", "custom_modes.yaml")

	return `
Modes are kept in '${customModesPath}' and in '.roomodes'.

customModes:
 - slug: gardener
   name: 🌱 Gardener
   groups:
     - read
     - - edit
       - fileRegex: \\.css$
${["command", "mcp"].map((group) => `     - ${group}`).join("\n")}
`
}
