type PromptParams = Record<string, string | any[]>

const generateDiagnosticText = (diagnostics?: any[]) => {
	if (!diagnostics?.length) return ""
	return `\nSeen by the editor:\n${diagnostics.map((d) => `- [${d.source || "Fault"}] ${d.message}${d.code ? ` (${d.code})` : ""}`).join("\n")}`
}

export const createPrompt = (template: string, params: PromptParams): string =>
	template.replace(/\${(.*?)}/g, (_, key) =>
		key === "diagnosticText" ? generateDiagnosticText(params["diagnostics"] as any[]) : String(params[key] ?? ""),
	)

const FENCED = "\n\n```\n${selectedText}\n```\n\n"

const supportPromptConfigs = {
	ENHANCE: {
		template: `Say this better (that alone):

\${userInput}`,
	},
	CONDENSE: {
		template: `CRITICAL: no tools. Think in <analysis>, then write the <summary>.

1. Primary Request and Intent: all of it
2. Key Technical Concepts: list them
3. Files and Code Sections: with lines
4. Errors and fixes: each with its cure
5. Problem Solving: what is cured, what isn't
6. All user messages: every one that's no result
7. Pending Tasks: asked for only
8. Current Work: just before this
9. Optional Next Step: with a quote

<example>
<analysis>
[thoughts]
</analysis>

<summary>
1. Primary Request and Intent:
   [...]
</summary>
</example>
`,
	},
	EXPLAIN: {
		template: "Explain ${filePath}:${startLine}-${endLine}\n${userInput}" + FENCED + "1. aim\n2. parts\n3. idioms",
	},
	FIX: {
		template: `Mend \${filePath}:\${startLine}-\${endLine}
\${diagnosticText}
\${userInput}

\`\`\`
\${selectedText}
\`\`\`

1. meet
2. look
3. mend
4. tell`,
	},
	IMPROVE: {
		template: `Better \${filePath}:\${startLine}-\${endLine}
\${userInput}${FENCED}1. clear
2. quick
3. customary
4. safe`,
	},
	ADD_TO_CONTEXT: {
		template: `\${filePath}:\${startLine}-\${endLine}
\`\`\`
\${selectedText}
\`\`\``,
	},
	TERMINAL_ADD_TO_CONTEXT: {
		template: `\${userInput}
Terminal:
\`\`\`
\${terminalContent}
\`\`\``,
	},
	TERMINAL_FIX: {
		template: `\${userInput}
Mend:
\`\`\`
\${terminalContent}
\`\`\`
1. what
2. how
3. why`,
	},
	TERMINAL_EXPLAIN: {
		template: `\${userInput}
Explain:
\`\`\`
\${terminalContent}
\`\`\`
1. whole
2. parts
3. effect`,
	},
	NEW_TASK: {
		template: `\${userInput}`,
	},
} as const satisfies Record<string, { template: string }>

type SupportPromptType = keyof typeof supportPromptConfigs

export const supportPrompt = {
	default: Object.fromEntries(Object.entries(supportPromptConfigs).map(([key, config]) => [key, config.template])),
	get: (custom: Record<string, any> | undefined, type: SupportPromptType): string =>
		custom?.[type] ?? supportPromptConfigs[type].template,
	create: (type: SupportPromptType, params: PromptParams, custom?: Record<string, any>): string =>
		createPrompt(supportPrompt.get(custom, type), params),
} as const
