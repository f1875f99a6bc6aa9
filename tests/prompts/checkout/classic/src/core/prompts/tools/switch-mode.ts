export function getSwitchModeDescription(): string {
	return `## switch_mode
What it does: asks the person to go on in another mode.
Inputs:
- mode_slug: (required) e.g. "code", "ask"
- reason: (optional) why
How to call:
<switch_mode>
<mode_slug>code</mode_slug>
<reason>Files must change</reason>
</switch_mode>`
}
