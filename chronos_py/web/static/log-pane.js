// A stream in the page: follows what is written, reads earlier and later pieces as somebody scrolls, jumps to any place.

import { LogWindow, PIECE } from "./log-window.js";

const AT_ONCE = 1024 * 1024; // the most that is asked for at once
const NEAR = 400; // pixels from an end of the window at which the next piece is read
const AT_END = 24;
const PAUSE = 700;
const LONG_PAUSE = 3000;
const QUIET = 10; // answers without anything new after which it asks less often

export class LogPane extends EventTarget {
  // `box` scrolls; data-log is the address of the stream, data-attempt the try that was chosen (none: the newest).
  constructor(box) {
    super();
    this.box = box;
    this.address = new URL(box.dataset.log, location.href);
    this.pinned = box.dataset.attempt ?? "";
    this.window = new LogWindow(box);
    this.end = 0; // as far as the stream is known to go
    this.complete = false;
    this.isFollowing = true;
    this.problem = "";
    this.attempt = null;
    this.busy = false;
    this.quiet = 0;
    box.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.#run();
  }

  get isAtEnd() { return this.window.to >= this.end; }

  // The byte that the first visible row begins with.
  get position() {
    return this.window.rowBelow(this.box.getBoundingClientRect().top + 1)?.start ?? this.window.from;
  }

  follow(wanted) {
    this.isFollowing = wanted;
    if (wanted) this.#toEnd();
    this.#changed();
  }

  // Bring the row with a byte into view; the row.
  async show(offset) {
    this.isFollowing = false;
    if (offset < this.window.from || offset >= this.window.to) {
      const start = Math.max(0, offset - PIECE / 2);
      await this.#alone(async () => {
        const piece = await this.#read(start, PIECE);
        if (piece?.bytes.length) this.window.show(piece.bytes, piece.offset);
      });
    }
    const row = this.window.rowAt(offset);
    if (row) this.#center(row.element);
    this.#fill();
    this.#changed();
    return row;
  }

  // Scroll the pane, and nothing else, so far that a part of a row is seen.
  bring(element) {
    const [inner, outer] = [element.getBoundingClientRect(), this.box.getBoundingClientRect()];
    if (inner.top < outer.top || inner.bottom > outer.bottom) this.#center(element);
    if (inner.left < outer.left || inner.right > outer.right) this.box.scrollLeft += inner.left - outer.left - outer.width / 2;
  }

  async #run() {
    for (;;) {
      const piece = await this.#alone(() => (this.attempt === null ? this.#begin() : this.#readOn()));
      this.#changed();
      this.#fill();
      if (this.complete && this.#isLast()) return;
      if (piece?.bytes.length >= AT_ONCE) continue;
      this.quiet = piece?.bytes.length ? 0 : this.quiet + 1;
      await pause(document.hidden || this.complete || this.quiet > QUIET ? LONG_PAUSE : PAUSE);
    }
  }

  // Whether no other try will take the place of this one.
  #isLast() {
    const run = document.querySelector("[data-attempts]");
    return Boolean(this.pinned) || (!run.hasAttribute("data-live") && Number(run.dataset.attempts) === this.attempt);
  }

  // The end of the stream, as the first that is seen of it.
  async #begin() {
    const piece = await this.#read(-PIECE, PIECE);
    if (!piece) return null;
    const below = this.#below; // of the text that came with the page
    this.window.showEnd(piece.bytes, piece.offset);
    this.#bottom(this.isFollowing ? 0 : below);
    return piece;
  }

  async #readOn() {
    const piece = await this.#read(this.end, AT_ONCE);
    if (!piece) return null;
    if (piece.attempt !== this.attempt) return this.#startAgain(piece.attempt);
    if (!piece.bytes.length || piece.offset !== this.window.to) return piece;
    if (!this.isFollowing && this.window.isFull) return piece;
    this.#add(piece);
    return piece;
  }

  // The run is at its next try: its stream begins anew.
  #startAgain(attempt) {
    this.window.clear(0);
    [this.end, this.complete, this.attempt] = [0, false, null];
    this.dispatchEvent(new CustomEvent("restarted", { detail: attempt }));
    return null;
  }

  #add(piece) {
    const isLong = piece.bytes.length > PIECE;
    if (this.isFollowing && isLong) this.window.showEnd(piece.bytes.subarray(-PIECE), piece.next - PIECE);
    else if (this.isFollowing) this.window.append(piece.bytes);
    else this.#holding(() => this.window.append(piece.bytes.subarray(0, PIECE)));
    if (this.isFollowing) this.#bottom();
  }

  async #toEnd() {
    if (!this.isAtEnd) {
      await this.#alone(async () => {
        const start = Math.max(0, this.end - PIECE);
        const piece = await this.#read(start, PIECE);
        if (piece) this.window.showEnd(piece.bytes, piece.offset);
      });
    }
    this.#bottom();
    this.#fill();
  }

  // Read back until there is something to scroll; long lines may leave nothing of a piece but its end.
  async #fill() {
    const isShort = () => this.box.scrollHeight - this.box.clientHeight < NEAR;
    while (this.box.offsetParent && this.window.from > 0 && !this.window.isFull && isShort()) {
      const from = this.window.from;
      await this.#earlier();
      if (this.window.from === from) return; // the server is away
      if (this.isFollowing) this.#bottom();
    }
  }

  // The pane has become visible.
  seen() {
    if (this.isFollowing) this.#bottom();
    this.#fill();
  }

  // How much of the text is below what is seen, in pixels.
  get #below() { return this.box.scrollHeight - this.box.clientHeight - this.box.scrollTop; }

  #bottom(below = 0) { this.box.scrollTop = this.box.scrollHeight - this.box.clientHeight - below; }

  #center(element) {
    const [row, box] = [element.getBoundingClientRect(), this.box.getBoundingClientRect()];
    this.box.scrollTop += row.top - box.top - (box.height - row.height) / 2;
  }

  #scrolled() {
    const isFollowing = this.isAtEnd && this.#below < AT_END;
    if (isFollowing !== this.isFollowing) { this.isFollowing = isFollowing; this.#changed(); }
    if (this.frame) return;
    this.frame = requestAnimationFrame(async () => {
      await this.#settled(); // who scrolls to an end while something is read shall not wait there for ever
      this.frame = 0;
      if (this.box.scrollTop < NEAR && this.window.from > 0) this.#earlier();
      else if (this.#below < NEAR && !this.isAtEnd) this.#later();
      this.dispatchEvent(new Event("moved"));
    });
  }

  async #earlier() {
    await this.#alone(async () => {
      const start = Math.max(0, this.window.from - PIECE);
      const piece = await this.#read(start, this.window.from - start);
      if (piece?.bytes.length) this.#holding(() => this.window.prepend(piece.bytes, piece.offset));
    });
    this.#changed();
  }

  async #later() {
    await this.#alone(async () => {
      const piece = await this.#read(this.window.to, PIECE);
      if (piece?.bytes.length) this.#holding(() => this.window.append(piece.bytes));
    });
    this.#changed();
  }

  // Change the window without moving what is being read.
  #holding(change) {
    const held = this.window.rowBelow(this.box.getBoundingClientRect().top + 1);
    const before = held?.element.getBoundingClientRect().top ?? 0;
    change();
    const after = held?.element.isConnected ? held.element.getBoundingClientRect().top : before;
    this.box.scrollTop += after - before;
  }

  // One change of the window at a time; whoever comes meanwhile waits.
  async #alone(change) {
    await this.#settled();
    let done;
    this.busy = new Promise((resolve) => { done = resolve; });
    try {
      return await change();
    } finally {
      this.busy = false;
      done();
    }
  }

  async #settled() {
    while (this.busy) await this.busy;
  }

  // A piece of the stream; null where the server has none to give, and says why.
  async #read(offset, limit) {
    const address = new URL(this.address);
    if (this.pinned) address.searchParams.set("attempt", this.pinned);
    address.searchParams.set("offset", offset);
    address.searchParams.set("limit", limit);
    try {
      const answer = await fetch(address);
      if (!answer.ok) {
        this.problem = (await answer.json()).detail ?? `The server answered with status ${answer.status}.`;
        return null;
      }
      const number = (name) => Number(answer.headers.get(name) ?? 0);
      const bytes = new Uint8Array(await answer.arrayBuffer());
      const piece = { bytes, offset: number("X-Log-Offset"), next: number("X-Next-Offset"), attempt: number("X-Log-Attempt") };
      this.attempt ??= piece.attempt;
      if (piece.attempt === this.attempt) {
        this.end = Math.max(this.end, piece.next, number("X-Log-Size"));
        this.complete = answer.headers.get("X-Log-Complete") === "true" || (this.complete && piece.next < this.end);
      }
      this.problem = "";
      return piece;
    } catch {
      this.problem = "The server does not answer; the output goes on as soon as it does.";
      return null;
    }
  }

  #changed() { this.dispatchEvent(new Event("changed")); }
}

function pause(milliseconds) {
  return new Promise((resolve) => {
    const timer = setTimeout(done, milliseconds);
    function done() {
      clearTimeout(timer);
      document.removeEventListener("ended", done);
      resolve();
    }
    document.addEventListener("ended", done); // the run has: look at once
  });
}
