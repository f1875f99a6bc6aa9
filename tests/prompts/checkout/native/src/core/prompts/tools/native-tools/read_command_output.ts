import type OpenAI from "openai"

/* Outputs that are too long wait in an artifact. */
const READ_COMMAND_OUTPUT_DESCRIPTION = `Reads on in an output that was cut.

- search: lines that fit a pattern (as \`grep -i\`)
- offset and limit: bytes`

const DEFAULT_LIMIT = 40 * 1024

export default {
	type: "function",
	function: {
		name: "read_command_output",
		description: READ_COMMAND_OUTPUT_DESCRIPTION,
		strict: true,
		parameters: {
			type: "object",
			properties: {
				artifact_id: { type: "string", description: `Name of the artifact, such as "cmd-1706119234567.txt"` },
				search: { type: ["string", "null"], description: "Pattern, any case" },
				offset: { type: ["number", "null"], description: "First byte (0)" },
				limit: { type: ["number", "null"], description: `Bytes at most (${DEFAULT_LIMIT})` },
			},
			required: ["artifact_id", "search", "offset", "limit"],
			additionalProperties: false,
		},
	},
} satisfies OpenAI.Chat.ChatCompletionTool
