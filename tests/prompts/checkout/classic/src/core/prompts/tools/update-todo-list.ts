import { ToolArgs } from "../types"

export function getUpdateTodoListDescription(args?: ToolArgs): string {
	return `## update_todo_list

**What it does:**
puts a new checklist in the place of the old one.

**The list:**
- one level, no nesting
- \`[ ] text\` waits, \`[-] text\` is under way, \`[x] text\` is done
- order is order of work

**How to call:**
<update_todo_list>
<todos>
[x] Read the brief
[-] Write the tree
[ ] Check it twice ✅
</todos>
</update_todo_list>

**Habits:**
1. Mark a step done at once.
2. Add steps when they show.
3. Drop a step only when it is void.`
}
