const RULE = "===="

export const markdownFormattingSection = (): string =>
	`${RULE}

MARKDOWN HABITS

Link every \`symbol\` and every [\`path\`](path/in/tree.ext:7); the number after the colon is wanted for symbols and welcome for files.`
