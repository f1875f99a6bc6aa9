import { ToolArgs } from "../types"

export function getExecuteCommandDescription(args: ToolArgs): string | undefined {
	return `## execute_command
What it does: runs a command in a terminal. Fit it to the person's shell, and say what it does.
Inputs:
- command: (required) e.g. \`npm test 2>&1 | tail -n 20\`, or \`printf 'a\\tb\\n'\`
- cwd: (optional) folder to run in (default: ${args.cwd})
How to call:
<execute_command>
<command>your command</command>
<cwd>folder (optional)</cwd>
</execute_command>`
}
