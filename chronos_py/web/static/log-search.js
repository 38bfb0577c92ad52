// Find a text in a whole stream: the server says where it is, the window marks what is in view.

const AFTER_TYPING = 250;

export class LogSearch {
  // `form` has the field, the buttons "previous" and "next", and a place for the count, [data-count].
  constructor(form, pane) {
    this.form = form;
    this.pane = pane;
    this.input = form.querySelector("input[type=search]");
    this.count = form.querySelector("[data-count]");
    this.#forget();
    form.addEventListener("submit", (event) => { event.preventDefault(); this.#go(event.submitter?.value === "previous" ? -1 : 1); });
    this.input.addEventListener("input", () => { clearTimeout(this.timer); this.timer = setTimeout(() => this.#search(), AFTER_TYPING); });
    this.input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") { event.preventDefault(); this.#go(event.shiftKey ? -1 : 1); }
      if (event.key === "Escape" && this.input.value) { event.preventDefault(); this.input.value = ""; this.#search(); }
    });
    pane.addEventListener("changed", () => this.#grown());
    pane.addEventListener("restarted", () => this.#search());
  }

  #forget() {
    this.running?.abort();
    Object.assign(this, { words: "", offsets: [], current: -1, next: 0, isPartial: false, running: null, problem: "" });
  }

  async #search() {
    clearTimeout(this.timer);
    const words = this.input.value;
    if (words === this.words) return;
    this.#forget();
    this.words = words;
    this.pane.window.mark(words);
    await this.#look();
    if (this.words !== words || !this.offsets.length) return;
    // The first match from here on, else the last one before.
    const here = this.pane.position;
    const following = this.offsets.findIndex((offset) => offset >= here);
    await this.#show(following < 0 ? this.offsets.length - 1 : following);
  }

  // Ask for matches from where the last answer stopped; `most` keeps one common letter from filling the memory.
  async #look() {
    if (!this.words || this.running) return;
    const running = new AbortController();
    this.running = running;
    try {
      for (;;) {
        const answer = await fetch(this.#address(), { signal: running.signal });
        if (!answer.ok) { this.problem = "not searched"; break; }
        const found = await answer.json();
        this.offsets.push(...found.offsets);
        this.next = found.next;
        this.isPartial = !found.complete && this.offsets.length >= found.most;
        this.#tell();
        if (found.complete || this.isPartial) break;
      }
    } catch (error) {
      if (error.name === "AbortError") return;
      this.problem = "not searched";
    }
    if (this.running === running) this.running = null;
    this.#tell();
  }

  #address() {
    const address = new URL(this.form.dataset.search, location.href);
    address.searchParams.set("q", this.words);
    address.searchParams.set("offset", this.next);
    if (this.pane.pinned) address.searchParams.set("attempt", this.pane.pinned);
    return address;
  }

  #grown() {
    if (this.words && !this.isPartial && this.pane.end > this.next + this.words.length * 4 + 256) this.#look();
  }

  async #go(step) {
    if (this.input.value !== this.words) { await this.#search(); return; }
    const count = this.offsets.length;
    if (count) await this.#show((this.current + step + count) % count);
  }

  async #show(number) {
    this.current = number;
    this.#tell();
    const offset = this.offsets[number];
    const row = await this.pane.show(offset);
    if (!row || this.current !== number) return;
    for (const old of this.pane.box.querySelectorAll("mark.current")) old.classList.remove("current");
    let before = 0; // matches of the same row that come before this one
    while (number - before > 0 && this.offsets[number - before - 1] >= row.start) before += 1;
    const mark = row.marks[Math.min(before, row.marks.length - 1)];
    mark?.classList.add("current");
    if (mark) this.pane.bring(mark);
  }

  #tell() {
    const count = this.offsets.length.toLocaleString() + (this.isPartial ? "+" : "");
    let words = "";
    if (this.problem) words = this.problem;
    else if (this.words && !this.offsets.length) words = this.running ? "searching …" : "not found";
    else if (this.words) words = this.current < 0 ? count : `${(this.current + 1).toLocaleString()} of ${count}`;
    if (this.count.textContent !== words) this.count.textContent = words;
  }
}
