// As sse_worker.py, under Node: eventsource-parser fed with what TextDecoder makes of each piece.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { createParser } from "eventsource-parser";

function piecesOf(data, size) {
  const pieces = [];
  if (size > 0) {
    for (let at = 0; at < data.length; at += size) pieces.push(data.subarray(at, at + size));
    return pieces;
  }
  const end = data.includes("\r\n\r\n") ? "\r\n\r\n" : "\n\n";
  for (let at = 0; at < data.length; ) {
    const next = data.indexOf(end, at) + end.length;
    pieces.push(data.subarray(at, next));
    at = next;
  }
  return pieces;
}

function parse(pieces) {
  let characters = 0;
  const decoder = new TextDecoder();
  const parser = createParser({ onEvent: (event) => { characters += event.data.length; } });
  for (const piece of pieces) parser.feed(decoder.decode(piece, { stream: true }));
  return characters;
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  const pieces = piecesOf(readFileSync(request.file), request.size);
  const start = process.cpuUsage();
  const characters = parse(pieces);
  const used = process.cpuUsage(start);
  console.log(JSON.stringify({ characters, cpu_seconds: (used.user + used.system) / 1e6 }));
}
