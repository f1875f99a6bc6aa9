import { ToolArgs } from "../types"

export function getAttemptCompletionDescription(args?: ToolArgs): string {
	// Older builds had a second input here; it is gone.
	return [
		`## attempt_completion`,
		`What it does: shows the person what was reached. They may answer with wishes, and then you go on.`,
		`NOT to be used before the calls before it are known to have worked; else the work is lost.`,
		`Inputs:`,
		`- result: (required) final words, without a question at the end`,
		`How to call:`,
		`<attempt_completion>\n<result>\nIt rains no more.\n</result>\n</attempt_completion>`,
	].join("\n")
}
