import { ToolArgs } from "../types"

export function getCodebaseSearchDescription(args: ToolArgs): string {
	return `## codebase_search
What it does: finds code by meaning, not by letters. **Queries are in English; translate first.**
Inputs:
- query: (required) what you look for, in the words of the person where they fit
- path: (optional) a folder to stay within, from ${args.cwd}; left out for the whole tree

How to call:
<codebase_search>
<query>${"how a session is renewed"}</query>
<path>src/auth</path>
</codebase_search>
`
}
