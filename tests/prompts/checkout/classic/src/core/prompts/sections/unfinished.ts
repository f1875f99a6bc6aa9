// Broken on purpose: an editor was closed in the middle of a sentence.
export function getUnfinishedSection(name: string): string {
	const opening = "This string is whole."
	return `This template is never closed, ${name} and what follows is no program
	}
}

export const after = "no reader can say what this belongs to"
