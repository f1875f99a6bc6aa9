import os from "os"
import osName from "os-name"

import { getShell } from "../../../utils/shell"

export function getSystemInfoSection(cwd: string): string {
	// osName() may throw on odd builds; the plain names serve then.
	let system: string
	try {
		system = osName()
	} catch {
		system = `${os.platform()} ${os.release()}`
	}

	return `====

THIS MACHINE

System: ${system}
Shell: ${getShell()}
Home: ${os.homedir().toPosix()}
Folder: ${cwd.toPosix()}

	(The line above begins with nothing, this one with a tab.)   
`
}
