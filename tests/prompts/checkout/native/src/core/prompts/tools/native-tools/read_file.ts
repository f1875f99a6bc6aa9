import type OpenAI from "openai"

export const DEFAULT_LINE_LIMIT = 2000
export const MAX_LINE_LENGTH = 2000

export interface ReadFileToolOptions {
	supportsImages?: boolean
}

function getReadFileSupportsNote(supportsImages: boolean): string {
	if (supportsImages) {
		return `PDF, DOCX and pictures are understood.`
	}
	return `PDF and DOCX are understood; pictures aren't.`
}

export function createReadFileTool(options: ReadFileToolOptions = {}): OpenAI.Chat.ChatCompletionTool {
	const { supportsImages = false } = options

	const modes = "Modes: 'slice' (lines from an offset) and 'indentation' (a whole block around a line)."
	const descriptionIntro = "Opens one file and hands back numbered lines. "
	const limitNote = ` No more than ${DEFAULT_LINE_LIMIT} lines; a line is cut after ${MAX_LINE_LENGTH} signs.`

	const description =
		descriptionIntro +
		modes +
		limitNote +
		" " +
		getReadFileSupportsNote(supportsImages) +
		` Example: { path: 'src/oak.ts' }\n` +
		`Example of a block: { path: 'src/oak.ts', mode: 'indentation', indentation: { anchor_line: 42 } }`

	const indentationProperties: Record<string, unknown> = {
		anchor_line: {
			type: "integer",
			description: "A line within the wanted block, from 1.",
		},
		max_levels: {
			type: "integer",
			description: `How far to climb (0 = no limit).`,
		},
		include_siblings: { type: "boolean", description: "Take the neighbours too" },
		include_header: { type: "boolean", description: "Take the imports at the top too" },
		max_lines: { type: "integer", description: "A limit of its own" },
	}

	const properties = {
		path: { type: "string", description: "File, from the workspace" },
		mode: {
			type: "string",
			enum: ["slice", "indentation"],
			description: "How to read; 'slice' unless said otherwise",
		},
		offset: { type: "integer", description: "First line of a slice, from 1" },
		limit: { type: "integer", description: `Lines at most (${DEFAULT_LINE_LIMIT} unless said otherwise)` },
		indentation: {
			type: "object",
			description: "For 'indentation' only",
			properties: indentationProperties,
			required: [],
			additionalProperties: false,
		},
	}

	return {
		type: "function",
		function: {
			name: "read_file",
			description,
			strict: true,
			parameters: {
				type: "object",
				properties,
				required: ["path"],
				additionalProperties: false,
			},
		},
	} satisfies OpenAI.Chat.ChatCompletionTool
}

export const read_file = createReadFileTool()
