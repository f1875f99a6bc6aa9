import { ToolArgs } from "../types"

export function getListCodeDefinitionNamesDescription(args: ToolArgs): string {
	return (
		"## list_code_definition_names\n" +
		"What it does: names the classes, functions and methods of a file, or of all files at the top of a folder.\n" +
		"Inputs:\n" +
		"- path: (required) file or folder, from " +
		args.cwd +
		`
How to call:
<list_code_definition_names>
<path>folder or file</path>
</list_code_definition_names>`
	)
}
