import type OpenAI from "openai"

import { dedent } from "../../../../utils/dedent"

const UPDATE_TODO_LIST_DESCRIPTION = dedent`
	Puts a new checklist in the place of the old one.

	- [ ] waits
	- [-] is under way
	- [x] is done
`

export default {
	type: "function",
	function: {
		name: "update_todo_list",
		description: UPDATE_TODO_LIST_DESCRIPTION,
		strict: true,
		parameters: {
			type: "object",
			properties: {
				todos: { type: "string", description: `The whole list` },
			},
			required: ["todos"],
			additionalProperties: false,
		},
	},
} satisfies OpenAI.Chat.ChatCompletionTool
