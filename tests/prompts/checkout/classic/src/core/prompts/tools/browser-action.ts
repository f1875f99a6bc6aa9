import { ToolArgs } from "../types"

export function getBrowserActionDescription(args: ToolArgs): string | undefined {
	if (!args.supportsComputerUse) {
		return undefined
	}
	return `## browser_action
What it does: drives a browser; every action but \`close\` answers with a picture and the console.
- The first action is launch, the last one close. In between no other tool works.
- The window measures **${args.browserViewportSize}** pixels; coordinates lie within.
- Aim at the *middle* of a thing, not at its edge.
Inputs:
- action: (required) one of:
    * launch: open a page; needs \`url\`
        - Examples: http://localhost:3000, file:///home/ada/index.html
    * hover, click: need \`coordinate\` as x,y
    * type: needs \`text\`
    * resize: needs \`size\` as w,h
    * scroll_down, scroll_up: one page
    * close: needs nothing
- url: (optional) <url>https://example.org/?q=1&amp;r=2</url>
- coordinate: (optional) <coordinate>450,300</coordinate>
- size: (optional) <size>1280,720</size>
- text: (optional) <text>Hello, wörld!</text>
How to call:
<browser_action>
<action>launch</action>
<url>https://example.org</url>
</browser_action>`
}
