const steps = (...lines: string[]): string => lines.map((line, index) => `${index + 1}. ${line}`).join("\n")

export function getObjectiveSection(): string {
	return `====

AIM

${steps(
		"Read the task and set goals.",
		'Take them in order; "in order" means in order.',
		`Think about which tool serves; ask for what is missing.`,
		"End with attempt_completion.",
		"Take remarks, but don't ask for them.",
	)}`
}
