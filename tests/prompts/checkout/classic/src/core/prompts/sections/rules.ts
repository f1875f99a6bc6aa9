import { DiffStrategy } from "../../../shared/tools"

const SHELL_HINT = 'Commands are joined with "&&", never with ";".'

function getEditingInstructions(diffStrategy?: DiffStrategy): string {
	const instructions: string[] = []
	const availableTools: string[] = []

	if (diffStrategy) {
		availableTools.push(
			"apply_diff (for a few lines that you can quote exactly)",
			"write_to_file (for new files, or when everything changes)",
		)
	} else {
		availableTools.push("write_to_file (for new files, or when everything changes)")
	}

	availableTools.push("insert_content (for lines that are added between others)")
	availableTools.push('search_and_replace (for one word that becomes another, "everywhere")')

	if (availableTools.length > 1) {
		instructions.push(`- For editing you have: ${availableTools.join(", ")}.`)
	}

	instructions.push("- insert_content counts lines from 1; line 0 means \"after the last one\".")

	if (diffStrategy) {
		instructions.push(
			"- Prefer the small tools; write_to_file is slow and forgets nothing only if you forget nothing.",
		)
	}

	instructions.push(
		"- write_to_file takes the WHOLE file. '// the rest stays' is an error, not a shorthand: " +
			"what you leave out is lost.",
	)

	return instructions.join("\n")
}

export function getRulesSection(
	cwd: string,
	supportsComputerUse: boolean,
	diffStrategy?: DiffStrategy,
	codeIndexManager?: { isInitialized?: boolean } | undefined,
): string {
	const codebaseSearchRule = codeIndexManager?.isInitialized
		? "- **Unknown code is asked about with `codebase_search` before anything else.** Each new area counts as unknown.\n"
		: ""

	return `====

RULES

- Home for this task is: ${cwd.replace(/\\/g, "/")}
- All paths are written from there. You cannot \`cd\` away; a command that must run elsewhere starts with \`cd elsewhere && \`.
- No ~ and no $HOME in paths. A literal \${HOME} in a script is the script's own affair.
- ${SHELL_HINT}
${codebaseSearchRule}- ${codebaseSearchRule ? "Next" : "First"}, search with patterns that are wide enough to hit and narrow enough to read.
${getEditingInstructions(diffStrategy)}
- Some modes may not write some files; a refusal names the pattern, for instance \`\\.md$\`.
  Trailing blanks in rules matter little:  
	a tab may stand first,	or within.
- Ask only through ask_followup_question, with two to four ready answers, e.g. "Is C:\\temp\\new the right folder?"${
		supportsComputerUse
			? "\n- For a look at the running page the browser will do; for facts from the net, a server that fetches them is better."
			: ""
	}
- Never open with "Great", "Sure" or "Okay". Start with the matter itself — „Zur Sache“, as they say; 日本語でも可.
- One tool a message. Wait. Then the next.${supportsComputerUse ? " A browser that is open shuts out all other tools until it is closed." : ""}`
}
