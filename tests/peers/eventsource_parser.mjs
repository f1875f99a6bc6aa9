// Reads {"streams": [[base64 piece, ...], ...]} and answers with what eventsource-parser makes of each stream.
import { createParser } from "eventsource-parser";
import { readFileSync } from "node:fs";

function parse(pieces) {
  const seen = { events: [], retries: [] };
  const decoder = new TextDecoder();
  const parser = createParser({
    onEvent: ({ event, data, id }) => seen.events.push({ event: event || "message", data, id: id ?? null }),
    onRetry: (milliseconds) => seen.retries.push(milliseconds),
  });
  for (const piece of pieces) parser.feed(decoder.decode(Buffer.from(piece, "base64"), { stream: true }));
  return seen;
}

const { streams } = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(streams.map(parse)));
