import { isIndexReady } from "../../../services/code-index"

export function getToolUseGuidelinesSection(codeIndexManager?: any): string {
	const isCodebaseSearchAvailable =
		codeIndexManager &&
		codeIndexManager.isFeatureEnabled &&
		codeIndexManager.isFeatureConfigured &&
		isIndexReady(codeIndexManager)

	// The list is numbered while it grows, so that no number is ever skipped.
	let itemNumber = 1
	const guidelinesList: string[] = []

	guidelinesList.push(
		`${itemNumber++}. Before any call, weigh what you know against what you lack, inside <thinking> tags.`,
	)

	if (isCodebaseSearchAvailable) {
		guidelinesList.push(
			`${itemNumber++}. **Ask the index first.** For code that this conversation has not touched, \`codebase_search\` comes before every other searching tool, even when you believe you know the file.`,
		)
		guidelinesList.push(
			`${itemNumber++}. Take the tool that fits the step. After the index has answered, \`search_files\` narrows by pattern and \`read_file\` shows the lines.`,
		)
	} else {
		guidelinesList.push(
			`${itemNumber++}. Take the tool that fits the step. \`list_files\` beats \`ls\` in a terminal, because its answer is already sorted.`,
		)
	}

	guidelinesList.push(`${itemNumber++}. If several calls are needed, make them one after another; guess no outcome.`)
	guidelinesList.push(`${itemNumber++}. Follow the tag layout given for the tool.`)
	guidelinesList.push(`${itemNumber++}. The next user message tells what happened. It may hold:
  - whether the call went through, and if not, why
  - lint remarks about the lines you changed
  - terminal output\tthat is still arriving
  - anything else the person found worth saying`)
	guidelinesList.push(
		`${itemNumber++}. ALWAYS wait for that message. "Probably fine" is not an outcome.`
	)

	return `# How to pick and pace tools

${guidelinesList.join("\n")}

Pausing between calls lets you:
1. See whether the step worked.
2. Mend what broke before it spreads.
3. Change course on news.
4. Build each step on the one before.

Slow and sure: that is the pace.`
}
