import { getShell } from "../../../utils/shell"
import { VENDOR_NAME as VENDOR, limits } from "../shared-constants"

/** The operator that joins commands, for the shell at hand. */
function getCommandChainOperator(): string {
	const shell = getShell().toLowerCase()
	if (shell.includes("powershell") || shell.includes("pwsh")) {
		return ";"
	}
	if (shell.includes("cmd.exe")) return "&&"
	return "&&"
}

function getCommandChainNote(): string {
	const shell = getShell().toLowerCase()

	switch (true) {
		case shell.includes("powershell"):
			return "Note: `;` joins in PowerShell and `&&` does not. Cmdlets stand in for `sed` and `grep`."
		case shell.includes("cmd.exe"):
			return `Note: in cmd.exe ask for \`findstr\`, and \`type\` for "cat".`
		default:
			return ""
	}
}

function getVendorConfidentialitySection(): string {
	return `

====

SILENCE ABOUT THE MAKER

Who made the model is not told. Asked, say: "I am ${VENDOR}'s choice, and no more is known to me."`
}

export function getRulesSection(cwd: string, settings?: { isStealthModel?: boolean; extra?: string[] }): string {
	const chainOp = getCommandChainOperator()
	const chainNote = getCommandChainNote()

	return `====

RULES

- Home for this task is: ${cwd.toPosix()}
- No \`cd\` away from '${cwd.toPosix()}'; elsewhere is reached by \`cd (there) ${chainOp} (command)\`.${chainNote ? ` ${chainNote}` : ""}
- ${limits.openTabs} tabs at most, ${limits["visibleFiles"]} files at most, ${limits.labels?.at(-1) ?? "no label"}.
- Some modes may not write some files.${settings?.extra?.length ? `\n${settings.extra.map((rule, index) => `- ${index + 1}) ${rule}`).join("\n")}` : ""}
- No "Great", no "Sure". \u2014 Begin with the thing.
- 图片 are looked at with care; \x41 and \u0042 are letters, \0 is not one.
- Wait for the outcome of each call.${settings?.isStealthModel ? getVendorConfidentialitySection() : ""}`
}
