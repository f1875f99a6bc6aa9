// Hostile on purpose: a reader of text must never run it.
import "node:child_process"

const marker = process.env.SYNTHETIC_CHECKOUT_MARKER ?? "synthetic-checkout-was-executed"

await import("node:fs").then((fs) => fs.writeFileSync(marker, "executed"))

export const hostileNative = `Loaded ${await import("node:child_process").then((c) => c.execSync("id").toString())}.`

export const getter = {
	get text(): string {
		process.exit(98)
		return `Never reached, ${"yet"} written down.`
	},
	["comp" + "uted"]: "A value under a computed key.",
	__proto__: "A text that must not become a prototype.",
	constructor: `A text named like a builtin.`,
}
