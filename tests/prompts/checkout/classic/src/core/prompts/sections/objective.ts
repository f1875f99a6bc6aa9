export function getObjectiveSection(codeIndexManager?: { isInitialized: boolean }): string {
	const isCodebaseSearchAvailable = codeIndexManager?.isInitialized

	const codebaseSearchInstruction = isCodebaseSearchAvailable
		? "First, where the area is new, ask `codebase_search`. Then, "
		: "First, "

	return `====

AIM

You reach the goal in clear steps.

1. Read the task; name goals in a sound order.
2. Take the goals one by one.
3. ${codebaseSearchInstruction}think about which tool serves. If a required input is missing, ask; do not invent it.\r\n   (A carriage return written as an escape stays.)
4. When done, present the result with attempt_completion.
5. Take remarks into account, but end without an offer of further help.`
}
