// Texts behind the buttons of the editor.
type PromptParams = Record<string, string | any[]>

const generateDiagnosticText = (diagnostics?: any[]) => {
	if (!diagnostics?.length) return ""
	return `\nFaults the editor sees:\n${diagnostics
		.map((d) => `- [${d.source || "Fault"}] ${d.message}${d.code ? ` (${d.code})` : ""}`)
		.join("\n")}`
}

export const createPrompt = (template: string, params: PromptParams): string => {
	return template.replace(/\${(.*?)}/g, (_, key) => {
		if (key === "diagnosticText") {
			return generateDiagnosticText(params["diagnostics"] as any[])
		} else if (Object.prototype.hasOwnProperty.call(params, key)) {
			const value = params[key]
			return typeof value === "string" ? value : String(value)
		}
		return ""
	})
}

interface SupportPromptConfig {
	template: string
}

type SupportPromptType =
	| "ENHANCE"
	| "CONDENSE"
	| "EXPLAIN"
	| "FIX"
	| "IMPROVE"
	| "ADD_TO_CONTEXT"
	| "TERMINAL_ADD_TO_CONTEXT"
	| "TERMINAL_FIX"
	| "TERMINAL_EXPLAIN"
	| "TERMINAL_GENERATE"
	| "NEW_TASK"
	| "COMMIT_MESSAGE"

const supportPromptConfigs: Record<SupportPromptType, SupportPromptConfig> = {
	ENHANCE: {
		template: `Write a better form of this request (the request only, no quotes, no preface):

\${userInput}`,
	},
	CONDENSE: {
		template: `\
Fold the conversation into a summary that a stranger could work from.

Context: what the work rests on
1. Previous Conversation: the whole way here.
2. Current Work: the last step in detail.
3. Key Technical Concepts: names and norms.
4. Relevant Files and Code: with the lines that count.
5. Problem Solving: what was cured.
6. Pending Tasks and Next Steps: with word-for-word quotes of the newest task.

Write the summary and not a word beside it.
`,
	},
	EXPLAIN: {
		template: `Explain this code from \${filePath}:\${startLine}-\${endLine}
\${userInput}

\`\`\`
\${selectedText}
\`\`\`

Say:
1. what it is for
2. what its parts do
3. what a reader should know beforehand`,
	},
	FIX: {
		template: `Mend this code from \${filePath}:\${startLine}-\${endLine}
\${diagnosticText}
\${userInput}

\`\`\`
\${selectedText}
\`\`\`

Please:
1. meet each fault above
2. look for further ones
3. give the mended code
4. say what changed & why`,
	},
	IMPROVE: {
		template: `Better this code from \${filePath}:\${startLine}-\${endLine}
\${userInput}

\`\`\`
\${selectedText}
\`\`\`

Look at:
1. ease of reading
2. speed
3. habits of the trade
4. faults and edges`,
	},
	ADD_TO_CONTEXT: {
		template: `\${filePath}:\${startLine}-\${endLine}
\`\`\`
\${selectedText}
\`\`\``,
	},
	TERMINAL_ADD_TO_CONTEXT: {
		template: `\${userInput}
From the terminal:
\`\`\`
\${terminalContent}
\`\`\``,
	},
	TERMINAL_FIX: {
		template: `\${userInput}
Mend this command:
\`\`\`
\${terminalContent}
\`\`\`

Please:
1. find what is wrong
2. give a command that works
3. say why`,
	},
	TERMINAL_EXPLAIN: {
		template: `\${userInput}
Explain this command:
\`\`\`
\${terminalContent}
\`\`\`

Say what it does, part for part.`,
	},
	TERMINAL_GENERATE: {
		template:
			'Write one command for: "${userInput}"\n' +
			"System: ${operatingSystem}, shell: ${shell}, folder: ${currentDirectory}\n" +
			"Answer with the command alone: no fence, no word.",
	},
	NEW_TASK: {
		template: `\${userInput}`,
	},
	COMMIT_MESSAGE: {
		template: `# Message for a commit
Kinds: feat, fix, docs, chore!
Subject of at most 50 signs; body at 72.

\${gitContext}

\${customInstructions}

Answer with the message alone.`,
	},
} as const

export const supportPrompt = {
	default: Object.fromEntries(Object.entries(supportPromptConfigs).map(([key, config]) => [key, config.template])),
	get: (customSupportPrompts: Record<string, any> | undefined, type: SupportPromptType): string => {
		return customSupportPrompts?.[type] ?? supportPromptConfigs[type].template
	},
	create: (type: SupportPromptType, params: PromptParams, customSupportPrompts?: Record<string, any>): string => {
		const template = supportPrompt.get(customSupportPrompts, type)
		return createPrompt(template, params)
	},
} as const

export const supportPromptLabels = {
	FIX: "Mend Code",
	EXPLAIN: "Explain Code",
} as const
