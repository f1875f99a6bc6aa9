// The same streams read by Node's fetch (undici) and eventsource-parser; speaks the protocol of stream_worker.py.
import readline from "node:readline"
import { createParser } from "eventsource-parser"

const body = JSON.stringify({
  model: "fake-model",
  stream: true,
  messages: [{ role: "user", content: "Tell me a story." }],
})

async function one(url) {
  let seen = 0
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
  })
  const parser = createParser({
    onEvent(event) {
      if (event.data === "[DONE]") return
      const choice = JSON.parse(event.data).choices[0]
      if (choice?.delta?.content) seen += 1
    },
  })
  const decoder = new TextDecoder()
  for await (const piece of response.body) parser.feed(decoder.decode(piece, { stream: true }))
  return seen
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const { url, streams } = JSON.parse(line)
  const before = process.cpuUsage()
  const counts = await Promise.all(Array.from({ length: streams }, () => one(url)))
  const used = process.cpuUsage(before)
  const chunks = counts.reduce((sum, each) => sum + each, 0)
  console.log(JSON.stringify({ chunks, cpu_seconds: (used.user + used.system) / 1e6, resident_bytes: 0 }))
}
