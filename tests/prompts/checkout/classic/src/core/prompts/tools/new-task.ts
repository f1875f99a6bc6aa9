import { ToolArgs } from "../types"

/** First text: todos are optional and kept silent. */
const PROMPT_WITHOUT_TODOS = `## new_task
What it does: starts a fresh task in a mode of your choice.

Inputs:
- mode: (required) slug
- message: (required) first words of the new task

How to call:
<new_task>
<mode>code</mode>
<message>Add the missing index.</message>
</new_task>
`

/** Second text: todos are required. */
const PROMPT_WITH_TODOS = `## new_task
What it does: starts a fresh task in a mode of your choice, with a list of steps.

Inputs:
- mode: (required) slug
- message: (required) first words of the new task
- todos: (required) the steps

How to call:
<new_task>
<mode>code</mode>
<message>Add the missing index.</message>
<todos>
[ ] Find the slow query
[-] Measure it
[x] Name it
</todos>
</new_task>

`

export function getNewTaskDescription(args: ToolArgs): string {
	const todosRequired = args.settings?.newTaskRequireTodos === true

	return todosRequired ? PROMPT_WITH_TODOS : PROMPT_WITHOUT_TODOS
}
