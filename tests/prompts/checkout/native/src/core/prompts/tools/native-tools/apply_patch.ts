import type OpenAI from "openai"

const apply_patch_DESCRIPTION = `Applies a patch of this shape:

*** Begin Patch
*** Update File: a.py
@@ def grow():
-    return 1
+    return 2
*** Add File: b.py
+print("hi")
*** Delete File: c.py
*** End Patch

A line begins with " ", "-" or "+"; a sign at its end such as \\ stays.`

const apply_patch = {
	type: "function",
	function: {
		name: "apply_patch",
		description: apply_patch_DESCRIPTION,
		parameters: {
			type: "object",
			properties: {
				patch: {
					type: "string",
					description: "From '*** Begin Patch' to '*** End Patch'",
				},
			},
			required: ["patch"],
			additionalProperties: false,
		},
	},
} satisfies OpenAI.Chat.ChatCompletionTool

export default apply_patch
