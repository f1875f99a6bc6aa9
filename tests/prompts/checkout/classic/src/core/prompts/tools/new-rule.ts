// Not part of the catalogue: the tool is reached through a slash command.
export function getNewRuleDescription({ cwd = "." }: { cwd?: string } = {}): string {
	return `## new_rule
What it does: writes a rule file below ${cwd}/.kilocode/rules.
Inputs:
- path: (required)
- content: (required)`
}
