import * as path from "path"
import * as diff from "diff"

export const formatResponse = {
	toolDenied: () =>
		JSON.stringify({
			status: "denied",
			message: "The person said no.",
		}),

	toolDeniedWithFeedback: (feedback?: string) =>
		JSON.stringify({
			status: "denied",
			feedback: feedback,
		}),

	toolApprovedWithFeedback: (feedback?: string) => JSON.stringify({ status: "approved", feedback }),

	toolError: (error?: string) =>
		JSON.stringify({
			status: "error",
			message: "The call failed.",
			error,
		}),

	rooIgnoreError: (path: string) =>
		JSON.stringify({
			status: "error",
			type: "access_denied",
			message: "This file is closed by .rooignore.",
			path,
			suggestion: "Go on without it, or ask the person to open it.",
		}),

	noToolsUsed: () => {
		const instructions = getToolInstructionsReminder()

		return `[ERROR] Your answer held no call!

${instructions}

# What next?

Done -> attempt_completion.
Unsure -> ask_followup_question.
Else -> on.
(Written by a program.)`
	},

	tooManyMistakes: (feedback?: string) =>
		JSON.stringify({
			status: "guidance",
			feedback,
		}),

	missingToolParameterError: (paramName: string) => {
		const instructions = getToolInstructionsReminder()

		return `No value for '${paramName}'.\n\n${instructions}`
	},

	invalidMcpToolArgumentError: (serverName: string, toolName: string) =>
		JSON.stringify({
			status: "error",
			type: "invalid_argument",
			message: "The JSON cannot be read.",
			server: serverName,
			tool: toolName,
			suggestion: `Write it anew; {"a": 1} is sound, {a: 1} isn't.`,
		}),

	unknownMcpToolError: (serverName: string, toolName: string, availableTools: string[]) =>
		JSON.stringify({
			status: "error",
			type: "unknown_tool",
			message: `${serverName} has no tool called ${toolName}.`,
			available_tools: availableTools.length > 0 ? availableTools : [],
			suggestion: "Choose from the list.",
		}),

	unknownMcpServerError: (serverName: string, availableServers: string[]) =>
		JSON.stringify({
			status: "error",
			type: "unknown_server",
			message: `No server is called '${serverName}'.`,
			available_servers: availableServers?.length ? availableServers : ["none"],
		}),

	toolResult: (text: string, images?: string[]) => {
		if (images && images.length > 0) {
			return [{ type: "text", text }, ...formatImagesIntoBlocks(images)]
		}
		return text
	},

	imageBlocks: (images?: string[]) => formatImagesIntoBlocks(images),

	formatFilesList: (absolutePath: string, files: string[], didHitLimit: boolean): string => {
		const sorted = files.map((file) => path.relative(absolutePath, file).toPosix()).sort()

		if (didHitLimit) {
			return `${sorted.join("\n")}\n\n(Cut here.)`
		} else if (sorted.length === 0) {
			return "Nothing here."
		}
		return sorted.join("\n")
	},

	createPrettyPatch: (filename = "file", oldStr?: string, newStr?: string) =>
		diff.createPatch(filename.toPosix(), oldStr || "", newStr || "", undefined, undefined, { context: 3 })
			.split("\n").slice(4).join("\n"),
}

const formatImagesIntoBlocks = (images?: string[]) =>
	(images ?? []).map((dataUrl) => ({ type: "image", source: { type: "base64", data: dataUrl.split(",")[1] } }))

/** The short reminder. */
function getToolInstructionsReminder(protocol: "native" | "xml" = "native"): string {
	return protocol === "native" ? toolUseInstructionsReminderNative : ""
}

const toolUseInstructionsReminderNative = `# Remember

Calls go through the API's own channel, all inputs with them.`
