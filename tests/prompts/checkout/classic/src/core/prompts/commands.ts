export const newTaskToolResponse = () =>
	`<explicit_instructions type="new_task">
The person wants a fresh task that knows what this one knows. Gather it:
  1. Work under way
  2. Ideas that matter
  3. Files and code
  4. Problems and cures
  5. What is left

<new_task>
<mode>code</mode>
<message>what you gathered</message>
</new_task>

The words of the person follow.
</explicit_instructions>\n
`

export const newRuleToolResponse = () => `<explicit_instructions type="new_rule">
Write a rule file from what was agreed. Its name ends in .md; its first line is "## Brief overview".
<new_rule>
<path>.kilocode/rules/{name}.md</path>
<content>- One point a line\n- No prose</content>
</new_rule>
</explicit_instructions>\n`

export const reportBugToolResponse = () =>
	"<explicit_instructions type=\"report_bug\">\n" +
	'The person has met a fault. Ask for what is missing, one question at a time:\n' +
	"\t- what was done\n\t- what was hoped for\n\t- what came\n" +
	"</explicit_instructions>\n"

export const condenseToolResponse = () =>
	`<explicit_instructions type="condense">
Fold this conversation. Headings, in order:
1. Previous Conversation
2. Current Work
3. Key Technical Concepts
4. Relevant Files and Code
5. Problem Solving
6. Pending Tasks and Next Steps
</explicit_instructions>\n
`

const commandReplacements: Record<string, (userInput: string) => string> = {
	newtask: (userInput) => newTaskToolResponse() + userInput,
	newrule: function (userInput) {
		return newRuleToolResponse() + userInput
	},
	reportbug(userInput) {
		return reportBugToolResponse() + `<user_input>${userInput}</user_input>`
	},
	smol: (userInput) => condenseToolResponse() + userInput,
}

export const expandCommand = (name: string, userInput: string): string =>
	commandReplacements[name]?.(userInput) ?? `No command is called "/${name}".`
