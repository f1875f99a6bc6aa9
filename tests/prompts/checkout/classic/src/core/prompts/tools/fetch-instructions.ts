export function getFetchInstructionsDescription(enableMcpServerCreation?: boolean): string {
	const tasks =
		enableMcpServerCreation !== false
			? `  create_mcp_server
  create_mode`
			: `  create_mode`

	const example =
		enableMcpServerCreation !== false
			? `How to begin a server:

<fetch_instructions>
<task>create_mcp_server</task>
</fetch_instructions>`
			: `How to begin a mode:

<fetch_instructions>
<task>create_mode</task>
</fetch_instructions>`

	return `## fetch_instructions
What it does: loads the how-to for a named job.
Inputs:
- task: (required) one of:
${tasks}

${example}`
}
