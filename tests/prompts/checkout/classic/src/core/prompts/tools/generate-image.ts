import { ToolArgs } from "../types"

export function getGenerateImageDescription(args: ToolArgs): string {
	const lines = [
		"## generate_image",
		"What it does: paints a picture from words, or repaints one that is given.",
		"Inputs:",
		"- prompt: (required) what to paint, e.g. 'a café at dusk ☕'",
		`- path: (required) where to keep it, from ${args.cwd}`,
		`- image: (optional) picture to start from, from ${args.cwd}; png, jpg, gif or webp`,
		"",
		"How to call:",
		"<generate_image>",
		"<prompt>A fox, in the manner of a woodcut</prompt>",
		"<path>art/fox.png</path>",
		"</generate_image>",
	]
	return lines.join("\n")
}
