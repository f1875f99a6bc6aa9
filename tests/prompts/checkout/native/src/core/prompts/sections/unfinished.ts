// Broken on purpose: brackets that never meet.
export const beforeTheBreak = `This template is whole.`

export function getBrokenSection(cwd: string {
	return `Inside of a broken function: ${cwd} and ${ unfinished
`
}
