import os from "os"
import osName from "os-name"

import { getShell } from "../../../utils/shell"

export function getSystemInfoSection(cwd: string): string {
	let details = `====

THIS MACHINE

System: ${osName()}
Shell: ${getShell()}
Home: ${os.homedir().toPosix()}
Folder of the task: ${cwd.toPosix()}

The folder of the task is the one open in the editor. The first message carries a listing of it; other folders can be listed with list_files, 'true' for recursive when the depth is of interest.`

	return details
}
