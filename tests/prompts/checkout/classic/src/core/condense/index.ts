import Anthropic from "@anthropic-ai/sdk"

export const N_MESSAGES_TO_KEEP = 3

const SUMMARY_PROMPT = `\
Write down what has been said and done, so that the work can go on without it.

Context: what to carry over
  1. Previous Conversation: ...
  2. Current Work: ...
  3. Key Technical Concepts:
     - [idea 1]
     - [idea 2]
  4. Relevant Files and Code:
  5. Problem Solving:
  6. Pending Tasks and Next Steps:

Only the summary, no comment.
`

const finalRequestMessage: Anthropic.MessageParam = {
	role: "user",
	content: "Now fold the conversation above, as the system prompt says.",
}
