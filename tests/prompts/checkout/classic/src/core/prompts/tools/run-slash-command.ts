const HEADING = "## run_slash_command" as const

export function getRunSlashCommandDescription(): string {
	return `${HEADING}
What it does: loads the words behind a slash command.
Inputs:
- command: (required) name without the slash
- args: (optional) further words
How to call:
<run_slash_command>
<command>review</command>
<args>only src/</args>
</run_slash_command>

The ${"`"}/${"`"} is not typed.`
}
