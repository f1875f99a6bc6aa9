export function markdownFormattingSection(): string {
	return `====

MARKDOWN HABITS

Write every file as a link such as [\`src/oak.ts\`](src/oak.ts) and every symbol as [\`grow()\`](src/oak.ts:42). A link without a line number points at the whole file; a symbol link always carries one. This holds for running text and for the text inside <attempt_completion>.`
}
