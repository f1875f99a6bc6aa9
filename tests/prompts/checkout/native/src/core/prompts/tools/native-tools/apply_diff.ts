import type OpenAI from "openai"

const APPLY_DIFF_DESCRIPTION = `Swaps quoted lines for new ones. The quote is exact, to the last blank.`

const DIFF_PARAMETER_DESCRIPTION = `Blocks of this shape:
<<<<<<< SEARCH
:start_line:[line]
-------
[as it is]
=======
[as it shall be]
>>>>>>> REPLACE`

export const apply_diff = {
	type: "function",
	function: {
		name: "apply_diff",
		description: APPLY_DIFF_DESCRIPTION,
		parameters: {
			type: "object",
			properties: {
				path: {
					type: "string",
					description: "File, from the workspace",
				},
				diff: {
					type: "string",
					description: DIFF_PARAMETER_DESCRIPTION,
				},
			},
			required: ["path", "diff"],
			additionalProperties: false,
		},
	},
} as const satisfies OpenAI.Chat.ChatCompletionTool
