export default () => `## condense
What it does: puts a summary in the place of the conversation.
Inputs:
- message: (required) the summary`
