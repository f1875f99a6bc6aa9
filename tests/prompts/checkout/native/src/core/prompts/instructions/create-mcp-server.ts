export async function createMCPServerInstructions(hub: { path(): Promise<string> } | undefined): Promise<string> {
	return `Servers live in ${(await hub?.path()) ?? "~/servers"}.

\`\`\`ts
const nested = \`outer \${\`inner \${x}\`}\`
const price = "$5", shell = '$(date)', brace = "{{name}}"
\`\`\`
${`one ${`two ${`three ${hub ? "four" : "five"}`}`}`}
`
}
