export function getToolUseGuidelinesSection(): string {
	return String.raw`# How to pick tools

1. Weigh what you know; \n here is a backslash and an n, C:\temp a folder.
2. Pick the tool that says most. \`list_files\` beats a shell.
3. Bundle what is independent; wait for the rest.

The outcome of step ${"N"} decides step ${"N"} + 1.`
}
