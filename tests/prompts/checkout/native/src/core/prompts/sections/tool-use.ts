export function getSharedToolUseSection(): string {
	return `====

USING TOOLS

Each answer calls one tool at least, and may call several where none waits for another. The calls go through the API's own channel; tags in prose have no effect, <b>none</b>.`
}
