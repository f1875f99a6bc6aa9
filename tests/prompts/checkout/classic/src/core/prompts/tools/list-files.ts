import { ToolArgs } from "../types"

export const getListFilesDescription = (args: ToolArgs): string => `## list_files
What it does: names the files and folders in a folder; with recursive, in all folders below. It is no proof that a file was written.
Inputs:
- path: (required) folder, from ${args.cwd}
- recursive: (optional) true or false
How to call:
<list_files>
<path>folder</path>
<recursive>true</recursive>
</list_files>`
