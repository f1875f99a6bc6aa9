export function getSharedToolUseSection(): string {
	return `====

USING TOOLS

A person approves each tool call before it runs. Send exactly one call per message; its outcome arrives with the next user message.

# Shape of a call

The call is a pair of tags named after the tool, and each input is a pair of tags inside it:

<tool_name_here>
<first_input>value 1</first_input>
<second_input>value 2 &amp; more</second_input>
...
</tool_name_here>

The tag *is* the name of the tool. Anything else is read as plain prose 🙈.`
}
