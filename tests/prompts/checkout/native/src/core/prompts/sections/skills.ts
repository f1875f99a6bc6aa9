type Skill = { name: string; description: string; path: string }

const escapeXml = (value: string): string =>
	value.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;").replace(/'/g, "&apos;")

export async function getSkillsSection(
	skillsManager: { getSkillsForMode(mode: string): Skill[] } | undefined,
	currentMode: string | undefined,
): Promise<string> {
	if (!skillsManager || !currentMode) return ""

	const skills = skillsManager.getSkillsForMode(currentMode)
	if (skills.length === 0) return ""

	const skillsXml = skills
		.map((skill) => {
			const locationLine = `\n    <location>${escapeXml(skill.path)}</location>`
			return `  <skill>
    <name>${escapeXml(skill.name)}</name>
    <description>${escapeXml(skill.description)}</description>${locationLine}
  </skill>`
		})
		.join("\n")

	return `====

SKILLS ON THE SHELF

<available_skills>
${skillsXml}
</available_skills>

<check_before_you_answer>
- Does one of them fit? Load it with \`skill\`, alone.
- Does none? Say nothing of them.
</check_before_you_answer>
<!-- Files named in a skill are read only when the skill says so. -->`
}
