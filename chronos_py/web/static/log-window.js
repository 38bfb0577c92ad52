// The part of a stream that is in the page: rows of whole lines, a few hundred kilobytes at most, whatever the length
// of the stream. Rows come in at one end and go out at the other; offsets are bytes of the stream.

import { PLAIN, readLine, styled } from "./ansi.js";

export const PIECE = 48 * 1024;
const MOST_BYTES = 192 * 1024;
const MOST_ROWS = 1500;
const ROWS_AT_ONCE = 750;
const LONGEST_ROW = 4096; // a longer line is cut into rows
const NEWLINE = 10;

const decoder = new TextDecoder();
const fold = (text) => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());

// Bytes as rows: lines with their ends, long lines cut between characters.
function cut(bytes, start) {
  const rows = [];
  for (let at = 0; at < bytes.length;) {
    const newline = bytes.indexOf(NEWLINE, at);
    let end = newline < 0 ? bytes.length : newline + 1;
    if (end - at > LONGEST_ROW) {
      end = at + LONGEST_ROW;
      while (end > at + 1 && (bytes[end] & 0xc0) === 0x80) end -= 1;
    }
    rows.push({ start: start + at, bytes: bytes.subarray(at, end), element: null, style: PLAIN, after: PLAIN, marks: [] });
    at = end;
  }
  return rows;
}

const endOf = (row) => row.start + row.bytes.length;
const isOpen = (row) => row.bytes.at(-1) !== NEWLINE && row.bytes.length < LONGEST_ROW;

function joined(first, second) {
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
}

export class LogWindow {
  constructor(place) {
    this.place = place;
    this.wanted = "";
    this.rows = [];
    this.from = 0;
    this.to = 0;
  }

  clear(offset) {
    this.rows = [];
    this.from = offset;
    this.to = offset;
    this.place.replaceChildren();
  }

  get isFull() {
    return this.rows.length >= MOST_ROWS || this.to - this.from >= MOST_BYTES;
  }

  // Show a piece on its own; of one that begins within a line the rest of that line is left out.
  show(bytes, offset) {
    const skipped = this.#skipped(bytes, offset);
    this.clear(offset + skipped);
    this.append(bytes.subarray(skipped));
  }

  // Show the end of a piece that is the end of all; of one with very many lines the last ones.
  showEnd(bytes, offset) {
    this.clear(offset + bytes.length);
    if (bytes.length) this.prepend(bytes, offset);
  }

  // What follows; rows at the beginning make room. A line that goes on is drawn again.
  append(bytes) {
    if (!bytes.length) return;
    const last = this.rows.at(-1);
    let [start, style] = [this.to, last?.after ?? PLAIN];
    if (last && isOpen(last)) {
      this.rows.pop();
      last.element.remove();
      [bytes, start, style] = [joined(last.bytes, bytes), last.start, last.style];
    }
    const rows = cut(bytes, start).slice(0, ROWS_AT_ONCE);
    this.place.append(this.#drawn(rows, style));
    this.rows.push(...rows);
    this.to = endOf(this.rows.at(-1));
    let gone = 0;
    while (this.rows.length - gone > MOST_ROWS || this.to - this.rows[gone].start > MOST_BYTES) gone += 1;
    for (const row of this.rows.splice(0, gone)) row.element.remove();
    this.from = this.rows[0].start;
  }

  // What comes before, up to where the window begins; rows at the end make room.
  prepend(bytes, offset) {
    const skipped = this.#skipped(bytes, offset);
    const rows = cut(bytes.subarray(skipped), offset + skipped).slice(-ROWS_AT_ONCE);
    this.place.prepend(this.#drawn(rows, PLAIN));
    this.rows.unshift(...rows);
    this.from = this.rows[0].start;
    while (this.rows.length > MOST_ROWS || this.to - this.from > MOST_BYTES) {
      const row = this.rows.pop();
      row.element.remove();
      this.to = row.start;
    }
  }

  // Mark a text everywhere, A to Z in any case.
  mark(words) {
    if (fold(words) === this.wanted) return;
    this.wanted = fold(words);
    for (const row of this.rows) {
      const before = row.element;
      this.#draw(row, row.style);
      before.replaceWith(row.element);
    }
  }

  // The row that has a byte; the last one for what comes after all.
  rowAt(offset) {
    return this.rows.findLast((row) => row.start <= offset) ?? this.rows[0];
  }

  // The first row that ends below a height of the screen.
  rowBelow(top) {
    let [low, high] = [0, this.rows.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.rows[middle].element.getBoundingClientRect().bottom > top) high = middle; else low = middle + 1;
    }
    return this.rows[low];
  }

  // How much of a piece belongs to a line that began before it; nothing where the line fills the piece.
  #skipped(bytes, offset) {
    if (offset === 0) return 0;
    const newline = bytes.indexOf(NEWLINE);
    if (newline >= 0 && newline < bytes.length - 1) return newline + 1;
    let at = 0; // at least not within a character
    while (at < 4 && (bytes[at] & 0xc0) === 0x80) at += 1;
    return at;
  }

  #drawn(rows, style) {
    const drawn = document.createDocumentFragment();
    for (const row of rows) {
      this.#draw(row, style);
      style = row.after;
      drawn.append(row.element);
    }
    return drawn;
  }

  #draw(row, style) {
    const text = decoder.decode(row.bytes).replace(/\r?\n$/, "");
    const { pieces, style: after } = readLine(text, style);
    const element = document.createElement("span");
    element.className = "row";
    Object.assign(row, { element, style, after, marks: [] });
    if (this.wanted) this.#drawMarked(row, pieces);
    else for (const piece of pieces) element.append(styled(piece.text, piece.style));
    element.append("\n");
  }

  #drawMarked(row, pieces) {
    const text = fold(pieces.map((piece) => piece.text).join(""));
    const places = [];
    for (let at = text.indexOf(this.wanted); at >= 0; at = text.indexOf(this.wanted, at + this.wanted.length)) places.push(at);
    let begin = 0;
    let next = 0; // the match that is being looked at
    for (const piece of pieces) {
      const end = begin + piece.text.length;
      let at = begin;
      while (at < end) {
        const start = places[next] ?? Infinity;
        const stop = start + this.wanted.length;
        const isInside = at >= start;
        const until = Math.min(end, isInside ? stop : start);
        const node = styled(piece.text.slice(at - begin, until - begin), piece.style);
        row.element.append(isInside ? this.#found(row, next, node) : node);
        if (until === stop) next += 1;
        at = until;
      }
      begin = end;
    }
  }

  #found(row, number, node) {
    const mark = document.createElement("mark");
    mark.append(node);
    row.marks[number] ??= mark;
    return mark;
  }
}
