import * as path from "path"
import * as diff from "diff"

import { Anthropic } from "@anthropic-ai/sdk"
import type { RooIgnoreController } from "../ignore/RooIgnoreController"

export const LOCK_TEXT_SYMBOL = "🔒"
const SHIELD_SYMBOL = "\u{1F6E1}\uFE0F"

export const formatResponse = {
	duplicateFileReadNotice: () =>
		`[[NOTE] The same file was read again further down; only the newer reading is kept.]`,

	contextTruncationNotice: () =>
		`[NOTE] Some turns in the middle were cut to stay within the window. The first words of the person are still here.`,

	condense: () =>
		`The talk so far has been folded into a summary.\nGo on from there; do not greet.`,

	toolDenied: () => `The person said no to this call.`,

	toolDeniedWithFeedback: (feedback?: string) =>
		`The person said no to this call and added:\n<feedback>\n${feedback}\n</feedback>`,

	toolApprovedWithFeedback: (feedback?: string) =>
		`The person said yes to this call and added:\n<feedback>\n${feedback}\n</feedback>`,

	toolError: (error?: string) => `The call failed:\n<error>\n${error}\n</error>`,

	rooIgnoreError: (path: string) =>
		`${path} is closed by .kilocodeignore. Go on without it, or ask the person to open it.`,

	noToolsUsed: () =>
		`[ERROR] No tool in your last message. Try once more with one!

${toolUseInstructionsReminder}

# What next?

All done: attempt_completion.
A fact missing: ask_followup_question.
Otherwise: the next step.
(This message was written by a program. Do not answer it.)`,

	tooManyMistakes: (feedback?: string) =>
		`It seems you are stuck. The person says:\n<feedback>\n${feedback}\n</feedback>`,

	missingToolParameterError: (paramName: string) =>
		`No value for the required input '${paramName}'. Try again with all of them.\n\n${toolUseInstructionsReminder}`,

	lineCountTruncationError: (actualLineCount: number, isNewFile: boolean, diffStrategyEnabled: boolean = false) => {
		const truncationMessage = `Note: your text may be cut, because it is ${actualLineCount} lines and no line_count came with it.`

		const newFileGuidance =
			`${truncationMessage}\n\n` +
			`For a new file:\n` +
			`1. Send the first half with write_to_file\n` +
			`2. Add the rest with insert_content`

		let existingFileApproaches = [
			`1. ${diffStrategyEnabled ? "Take apply_diff" : "Take write_to_file"} and send less`,
		]

		existingFileApproaches.push(`${diffStrategyEnabled ? "2" : "2"}. Take search_and_replace`)

		const existingFileGuidance =
			`${truncationMessage}\n\n` + `For a file that exists:\n` + `${existingFileApproaches.join("\nor ")}\n`

		return isNewFile ? newFileGuidance : existingFileGuidance
	},

	invalidMcpToolArgumentError: (serverName: string, toolName: string) =>
		`The JSON for ${toolName} of ${serverName} cannot be read.`,

	toolResult: (
		text: string,
		images?: string[],
	): string | Array<Anthropic.TextBlockParam | Anthropic.ImageBlockParam> => {
		if (images && images.length > 0) {
			const textBlock: Anthropic.TextBlockParam = { type: "text", text }
			const imageBlocks: Anthropic.ImageBlockParam[] = formatImagesIntoBlocks(images)
			// Pictures stand after words.
			return [textBlock, ...imageBlocks]
		} else {
			return text
		}
	},

	imageBlocks: (images?: string[]): Anthropic.ImageBlockParam[] => {
		return formatImagesIntoBlocks(images)
	},

	formatFilesList: (
		absolutePath: string,
		files: string[],
		didHitLimit: boolean,
		rooIgnoreController: RooIgnoreController | undefined,
		showRooIgnoredFiles: boolean,
	): string => {
		const sorted = files
			.map((file) => {
				const relativePath = path.relative(absolutePath, file).toPosix()
				return file.endsWith("/") ? relativePath + "/" : relativePath
			})
			.sort((a, b) => a.localeCompare(b, undefined, { numeric: true, sensitivity: "base" }))

		const marked: string[] = []
		for (const filePath of sorted) {
			const isIgnored = !rooIgnoreController?.validateAccess(filePath)
			if (isIgnored && !showRooIgnoredFiles) continue
			marked.push(isIgnored ? LOCK_TEXT_SYMBOL + " " + filePath : SHIELD_SYMBOL + " " + filePath)
		}

		if (didHitLimit) {
			return `${marked.join("\n")}\n\n(The list is cut here. A deeper folder gives a shorter list.)`
		} else if (marked.length === 0 || (marked.length === 1 && marked[0] === "")) {
			return "Nothing here."
		} else {
			return marked.join("\n")
		}
	},

	createPrettyPatch: (filename = "file", oldStr?: string, newStr?: string) => {
		const patch = diff.createPatch(filename.toPosix(), oldStr || "", newStr || "")
		const lines = patch.split("\n")
		return lines.slice(4).join("\n")
	},
}

const formatImagesIntoBlocks = (images?: string[]): Anthropic.ImageBlockParam[] => {
	return images
		? images.map((dataUrl) => {
				const [rest, base64] = dataUrl.split(",")
				const mimeType = rest.split(":")[1].split(";")[0]
				return { type: "image", source: { type: "base64", media_type: mimeType, data: base64 } } as Anthropic.ImageBlockParam
			})
		: []
}

const toolUseInstructionsReminder = `# Remember: shape of a call

A call is written in tags:

<tool_name>
<input1>one</input1>
...
</tool_name>

For instance:

<attempt_completion>
<result>
All is in place…
</result>
</attempt_completion>`
