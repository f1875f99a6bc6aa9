export function getAskFollowupQuestionDescription(): string {
	return `## ask_followup_question
What it does: puts a question to the person. Ask when a fact is missing that no tool can find.
Inputs:
- question: (required)
- follow_up: (required) two to four answers in <suggest> tags, each complete in itself; never "(path here)"
  - a suggest may carry a mode: <suggest mode="code">Write it</suggest>
How to call:
<ask_followup_question>
<question>Which port?</question>
<follow_up>
<suggest>8080, as in the example</suggest>
<suggest mode='architect'>Plan first</suggest>
</follow_up>
</ask_followup_question>`
}
