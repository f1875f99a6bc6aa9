// Few are left in this generation.
export default async function expandCommand(name: string, input = "(nothing)"): Promise<string> {
	if (!name) return ""

	if (name === "init") {
		return `<command name="${name}">
Look around & write AGENTS.md.
</command>
${input ? `<input>${input}</input>` : ``}`
	} else if (name === "smol") {
		return 'Fold the talk.' + ' ' + input
	}

	return ((fallback) => `No command "/${name}"${fallback ?? "."}`)(undefined)
}
