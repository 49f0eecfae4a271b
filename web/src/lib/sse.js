// Server-sent events, read from a fetch: an EventSource can send neither a body nor a key.

const LIMIT = 1 << 20; // characters of one event

/**
 * Takes text in pieces cut anywhere and calls `onData` with the data of each event. Lines may end in LF, CRLF or CR.
 * @param {(data: string) => void} onData
 */
export function sseParser(onData) {
  let rest = "";
  let scanned = 0; // of rest, known to hold no line end
  let afterCR = false; // the last piece ended in CR: an LF that follows belongs to it
  /** @type {string[]} */
  let data = [];

  /** @param {string} line */
  function take(line) {
    if (line === "") {
      if (data.length) onData(data.join("\n"));
      data = [];
    } else if (line === "data") {
      data.push("");
    } else if (line.startsWith("data:")) {
      data.push(line.slice(line[5] === " " ? 6 : 5));
    }
  }

  return {
    /** @param {string} piece */
    push(piece) {
      if (afterCR && piece !== "") {
        afterCR = false;
        if (piece[0] === "\n") piece = piece.slice(1);
      }
      rest += piece;
      let start = 0;
      for (let at = scanned; at < rest.length; at++) {
        const end = rest[at];
        if (end !== "\n" && end !== "\r") continue;
        take(rest.slice(start, at));
        if (end === "\r") {
          if (at + 1 === rest.length) afterCR = true;
          else if (rest[at + 1] === "\n") at++;
        }
        start = at + 1;
      }
      rest = rest.slice(start);
      scanned = rest.length;
      if (rest.length + data.reduce((sum, line) => sum + line.length, 0) > LIMIT)
        throw new Error("an event is too long");
    },
    /** What is left when the connection closes counts as an event. */
    end() {
      if (rest !== "") take(rest);
      rest = "";
      take("");
    },
  };
}

/**
 * The data of each event of a response, as they arrive.
 * @param {Response} response
 * @returns {AsyncGenerator<string>}
 */
export async function* sseData(response) {
  /** @type {string[]} */
  let ready = [];
  const parser = sseParser((data) => ready.push(data));
  const decoder = new TextDecoder("utf-8"); // one for all: a character may be cut between two pieces
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      parser.push(decoder.decode(value, { stream: !done }));
      if (done) parser.end();
      const now = ready;
      ready = [];
      yield* now;
      if (done) return;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
