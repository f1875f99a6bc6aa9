import { DiffStrategy, DiffResult } from "../../../shared/tools"

export class MultiFileSearchReplaceDiffStrategy implements DiffStrategy {
	static readonly label = "multi-file"

	getName(): string {
		return "MultiFileSearchReplace"
	}

	getToolDescription(args: { cwd: string; toolOptions?: { [key: string]: string } }): string {
		return `## apply_diff

What it does: as before, but for several files in one call.

Inputs:
- args: holds file elements
  - file
    - path: (required) from ${args.cwd}
    - diff: (required) may be repeated
      - content: (required) a block
      - start_line: (required)

How to call:
<apply_diff>
<args>
<file>
  <path>a.py</path>
  <diff>
    <content><![CDATA[
<<<<<<< SEARCH
x = 1
=======
x = 2
>>>>>>> REPLACE
]]></content>
    <start_line>1</start_line>
  </diff>
</file>
</args>
</apply_diff>`
	}

	private validate(similarity: number, threshold: number, best?: string): DiffResult {
		const percent = Math.floor(similarity * 100)
		return {
			success: false,
			error:
				`The quote is ${percent}% like the file; ${threshold * 100}% is needed.\n\n` +
				`What is near:\n${best ? best : "(nothing)"}\n` +
				"- Hint: read the file once more.",
		}
	}
}
