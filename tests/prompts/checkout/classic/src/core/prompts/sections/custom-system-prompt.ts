import fs from "fs/promises"
import path from "path"

export type PromptVariables = {
	workspace?: string
	mode?: string
	language?: string
	shell?: string
	operatingSystem?: string
}

function interpolatePromptContent(content: string, variables: PromptVariables): string {
	let interpolatedContent = content
	for (const key in variables) {
		const value = variables[key as keyof PromptVariables]
		if (value !== undefined) {
			const placeholderRegex = new RegExp(`\\{\\{${key}\\}\\}`, "g")
			interpolatedContent = interpolatedContent.replace(placeholderRegex, value)
		}
	}
	return interpolatedContent
}

export function getSystemPromptFilePath(cwd: string, mode: string): string {
	return path.join(cwd, ".kilocode", `system-prompt-${mode}`)
}

export async function loadSystemPromptFile(cwd: string, mode: string, variables: PromptVariables): Promise<string> {
	const rawContent = await fs.readFile(getSystemPromptFilePath(cwd, mode), "utf-8").catch(() => "")
	return rawContent ? interpolatePromptContent(rawContent.trim(), variables) : ""
}
