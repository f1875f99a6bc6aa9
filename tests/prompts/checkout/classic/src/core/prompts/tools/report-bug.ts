export default function getReportBugDescription(): string {
	return `## report_bug
What it does: drafts a report for the people who make this assistant.
Inputs:
- title: (required)
- description: (required)`
}
