// Hostile on purpose: everything here acts at import time. A reader of text must never run it.
import { execSync } from "node:child_process"
import { writeFileSync } from "node:fs"

writeFileSync(process.env.SYNTHETIC_CHECKOUT_MARKER ?? "synthetic-checkout-was-executed", "executed")

export const hostileSection = `Before ${execSync("echo executed >> synthetic-checkout-was-executed").toString()} after.`

export const immediately = (() => {
	writeFileSync("synthetic-checkout-was-executed", "executed")
	return process.exit(99)
})()

export function getHostileSection(value: string = `${execSync("touch synthetic-checkout-was-executed")}`): string {
	Object.defineProperty(Object.prototype, "polluted", { value: true })
	return eval("`" + value + "`") + `This part is harmless; ${(0, eval)("1 + 1")} is not.`
}
