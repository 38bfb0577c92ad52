// Drawings of chains: zoom, pan, what belongs to a job lit up, and states that keep themselves up to date.

import { answered, unanswered } from "./live.js";
import { showTimes } from "./times.js";

const WIDTH = 232, HEIGHT = 46; // of a job
const SMALLEST = 0.08, LARGEST = 2.5, READABLE = 0.62, FAR = 0.5, TINY = 0.28, EVERY = 4000;
const SIGNS = { queued: "◔", starting: "◑", running: "▶", waiting_retry: "↻", succeeded: "✓", failed: "✕", killed: "■", lost: "?", skipped: "⤼", fresh: "○" };
const NAMESPACE = "http://www.w3.org/2000/svg";
const within = (value, low, high) => Math.min(Math.max(value, low), high);

class Chain {
  constructor(part) {
    this.part = part;
    this.view = part.querySelector(".chain-view");
    this.isPage = Boolean(part.closest("main.full"));
    this.begin();
    this.listen();
    this.tag = null;
    setInterval(() => this.refresh(), EVERY);
  }

  // A drawing that has just come: what is in it, and how much of it is seen first.
  begin(kept) {
    this.drawing = this.view.querySelector(".chain-drawing");
    this.width = Number(this.drawing.getAttribute("width"));
    this.height = Number(this.drawing.getAttribute("height"));
    this.nodes = new Map([...this.drawing.querySelectorAll(".node")].map((node) => [node.dataset.name, node]));
    this.lines = [...this.drawing.querySelectorAll(".line")];
    this.view.classList.add("moves");
    this.view.classList.toggle("whole", this.isPage);
    this.part.querySelector(".chain-tools").hidden = false;
    const room = this.isPage ? innerHeight - this.view.getBoundingClientRect().top - scrollY - 110 : 420;
    this.view.style.height = `${Math.min(this.height + 20, Math.max(room, 300))}px`;
    this.drawing.removeAttribute("width");
    this.drawing.removeAttribute("height");
    [...this.nodes.values()].forEach((node, index) => { node.querySelector("a").tabIndex = index ? -1 : 0; });
    this.map = this.makeMap();
    if (kept) this.show(kept.x, kept.y, kept.scale); else this.first();
  }

  get room() { return { width: this.view.clientWidth || 1, height: this.view.clientHeight || 1 }; }

  get fitting() { return Math.min(this.room.width / this.width, this.room.height / this.height, 1.15); }

  // All of it where that can be read, else from what matters: the job it is about, what failed, what runs.
  first() {
    const scale = this.fitting;
    if (scale >= READABLE) return this.fit();
    const matters = this.drawing.querySelector(".node.here, .node.state-failed, .node.state-lost, .node.state-running") ?? this.drawing.querySelector(".node");
    const at = place(matters);
    this.show(Math.max(at.x - this.room.width / 0.85 / 3, 0), Math.max(at.y - this.room.height / 0.85 / 3, 0), 0.85);
  }

  fit() {
    const scale = Math.max(this.fitting, SMALLEST);
    this.show((this.width - this.room.width / scale) / 2, (this.height - this.room.height / scale) / 2, scale);
  }

  // x and y: what is in the upper left corner; no further than half a view beyond the drawing.
  show(x, y, scale) {
    const { width, height } = this.room;
    const wide = width / scale, high = height / scale;
    this.x = wide >= this.width ? (this.width - wide) / 2 : within(x, -wide / 3, this.width - wide * 2 / 3);
    this.y = high >= this.height ? (this.height - high) / 2 : within(y, -high / 3, this.height - high * 2 / 3);
    this.scale = scale;
    this.drawing.setAttribute("viewBox", `${this.x} ${this.y} ${wide} ${high}`);
    this.drawing.classList.toggle("far", scale < FAR);
    this.drawing.classList.toggle("tiny", scale < TINY);
    if (this.map) {
      this.map.hidden = wide >= this.width && high >= this.height;
      this.map.style.display = this.map.hidden ? "none" : "";
      for (const [name, value] of [["x", this.x], ["y", this.y], ["width", wide], ["height", high]]) this.frame.setAttribute(name, value);
    }
  }

  zoom(factor, at) {
    const { width, height } = this.room;
    const point = at ?? { x: width / 2, y: height / 2 };
    const scale = within(this.scale * factor, Math.min(SMALLEST, this.fitting), LARGEST);
    this.show(this.x + point.x / this.scale - point.x / scale, this.y + point.y / this.scale - point.y / scale, scale);
  }

  move(x, y) { this.show(this.x + x / this.scale, this.y + y / this.scale, this.scale); }

  // Into view, if it is not.
  reveal(node) {
    const at = place(node), { width, height } = this.room;
    const inside = at.x >= this.x && at.y >= this.y && at.x + WIDTH <= this.x + width / this.scale && at.y + HEIGHT <= this.y + height / this.scale;
    if (!inside) this.show(at.x + WIDTH / 2 - width / this.scale / 2, at.y + HEIGHT / 2 - height / this.scale / 2, this.scale);
  }

  listen() {
    this.part.querySelector(".chain-tools").addEventListener("click", (event) => {
      const kind = event.target.closest("[data-zoom]")?.dataset.zoom;
      if (kind === "in") this.zoom(1.3);
      if (kind === "out") this.zoom(1 / 1.3);
      if (kind === "fit") this.fit();
      if (kind === "real") this.zoom(1 / this.scale);
    });
    this.view.addEventListener("wheel", (event) => {
      // In the middle of another page the wheel scrolls that one.
      if (!this.isPage && !event.ctrlKey) return;
      event.preventDefault();
      if (event.shiftKey) return this.move(event.deltaY || event.deltaX, 0);
      const box = this.view.getBoundingClientRect();
      this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), { x: event.clientX - box.left, y: event.clientY - box.top });
    }, { passive: false });
    this.listenToPointers();
    this.view.addEventListener("keydown", (event) => this.press(event));
    this.view.addEventListener("mouseover", (event) => this.light(event.target.closest?.(".node")));
    this.view.addEventListener("mouseleave", () => this.light(null));
    this.view.addEventListener("focusin", (event) => {
      const node = event.target.closest?.(".node");
      if (node && event.target.matches(":focus-visible")) this.reveal(node);
      this.light(node);
    });
    this.view.addEventListener("focusout", () => this.light(null));
    // The browser scrolls what gets the focus into view: the view box does that here.
    this.view.addEventListener("scroll", () => { this.view.scrollLeft = 0; this.view.scrollTop = 0; });
    this.part.closest("main").addEventListener("click", (event) => this.fold(event));
    new ResizeObserver(() => this.show(this.x, this.y, this.scale)).observe(this.view);
  }

  // One pointer drags, two zoom. What was dragged is no click.
  listenToPointers() {
    const down = new Map();
    let moved = 0;
    this.view.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      down.set(event.pointerId, { x: event.clientX, y: event.clientY });
      moved = 0;
    });
    this.view.addEventListener("pointermove", (event) => {
      const before = down.get(event.pointerId);
      if (!before) return;
      const now = { x: event.clientX, y: event.clientY };
      moved += Math.hypot(now.x - before.x, now.y - before.y);
      const other = [...down.entries()].find(([id]) => id !== event.pointerId)?.[1];
      if (other) {
        const box = this.view.getBoundingClientRect();
        const factor = Math.hypot(now.x - other.x, now.y - other.y) / (Math.hypot(before.x - other.x, before.y - other.y) || 1);
        this.zoom(factor, { x: (now.x + other.x) / 2 - box.left, y: (now.y + other.y) / 2 - box.top });
      } else if (moved > 4) {
        if (!this.view.hasPointerCapture(event.pointerId)) this.view.setPointerCapture(event.pointerId);
        this.view.classList.add("held");
        this.move(before.x - now.x, before.y - now.y);
      }
      down.set(event.pointerId, now);
    });
    for (const kind of ["pointerup", "pointercancel"]) {
      this.view.addEventListener(kind, (event) => { down.delete(event.pointerId); if (!down.size) this.view.classList.remove("held"); });
    }
    this.view.addEventListener("dragstart", (event) => event.preventDefault());
    this.view.addEventListener("click", (event) => { if (moved > 4) { event.preventDefault(); event.stopPropagation(); moved = 0; } }, true);
  }

  // On the drawing, arrows move it; on a job, they lead to the next one in that direction.
  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const node = event.target.closest?.(".node");
    if (event.key in arrows) {
      const [x, y] = arrows[event.key];
      if (node) this.go(node, x, y); else this.move(x * 80, y * 80);
    } else if (event.key === "+" || event.key === "=") this.zoom(1.3);
    else if (event.key === "-") this.zoom(1 / 1.3);
    else if (event.key === "0") this.fit();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  go(node, x, y) {
    const from = place(node);
    let best = null, nearest = Infinity;
    for (const other of this.nodes.values()) {
      const at = place(other), ahead = (at.x - from.x) * x + (at.y - from.y) * y;
      const aside = Math.abs((at.x - from.x) * y) + Math.abs((at.y - from.y) * x);
      if (ahead > 0 && ahead + 2.5 * aside < nearest) { nearest = ahead + 2.5 * aside; best = other; }
    }
    if (!best) return;
    for (const each of this.nodes.values()) each.querySelector("a").tabIndex = -1;
    best.querySelector("a").tabIndex = 0;
    best.querySelector("a").focus({ preventScroll: true });
    this.reveal(best);
  }

  // A job, all before it and all after it.
  light(node) {
    if (node === this.lit) return;
    this.lit = node;
    this.drawing.classList.toggle("lit", Boolean(node));
    this.drawing.querySelectorAll(".near").forEach((each) => each.classList.remove("near"));
    if (!node) return;
    node.classList.add("near");
    for (const [from, to] of [["from", "to"], ["to", "from"]]) {
      const pending = [node.dataset.name], seen = new Set(pending);
      while (pending.length) {
        const name = pending.pop();
        for (const line of this.byEnd(from).get(name) ?? []) {
          line.classList.add("near");
          const next = line.dataset[to];
          if (seen.has(next)) continue;
          seen.add(next);
          pending.push(next);
          this.nodes.get(next)?.classList.add("near");
        }
      }
    }
  }

  byEnd(end) {
    this.ends ??= {};
    return this.ends[end] ??= Map.groupBy ? Map.groupBy(this.lines, (line) => line.dataset[end]) : grouped(this.lines, end);
  }

  // Hide or show a part: the page with that address, its drawing in the place of this one.
  async fold(event) {
    const link = event.target.closest?.("[data-fold]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button || !this.isPage) return;
    event.preventDefault();
    const name = link.closest(".node")?.dataset.name, address = link.getAttribute("href");
    history.pushState(null, "", address);
    await this.replace(address, name);
  }

  async replace(address, name = "") {
    this.asking?.abort(); // the answer to an older click shall not take the place of this one's
    const { signal } = this.asking = new AbortController();
    let answer, text;
    try {
      answer = await fetch(address, { signal });
      text = await answer.text();
    } catch {
      if (!signal.aborted) this.missed();
      return;
    }
    if (!answer.ok) return location.assign(address);
    const page = new DOMParser().parseFromString(text, "text/html");
    const fresh = page.querySelectorAll(".chain")[chains.indexOf(this)], title = page.querySelector("main .title");
    if (!fresh) return location.assign(address);
    const before = name && this.nodes.has(name) ? place(this.nodes.get(name)) : null;
    const open = this.part.querySelector(".chain-table")?.open;
    this.view.querySelector(".chain-drawing").replaceWith(fresh.querySelector(".chain-drawing"));
    for (const kind of [".chain-table", ".chain-legend"]) {
      const part = fresh.querySelector(kind);
      if (part) this.part.querySelector(kind)?.replaceWith(part);
    }
    if (open) this.part.querySelector(".chain-table").open = true;
    if (title) showTimes(title);
    if (title && this.isPage) this.part.closest("main").querySelector(".title")?.replaceWith(title);
    for (const key of ["query", "structure"]) this.part.dataset[key] = fresh.dataset[key];
    this.ends = null;
    this.lit = null;
    this.tag = null;
    const kept = { x: this.x, y: this.y, scale: this.scale };
    this.begin(kept);
    if (before && this.nodes.has(name)) {
      const now = place(this.nodes.get(name));
      this.show(kept.x + now.x - before.x, kept.y + now.y - before.y, kept.scale);
      this.nodes.get(name).querySelector("[data-fold]")?.focus({ preventScroll: true });
    }
  }

  // The server is away: the first states that come again bring the drawing of this address along.
  missed() {
    this.part.dataset.structure = "";
    this.tag = null;
    unanswered(true);
  }

  // States alone, not the drawing; that only comes anew when jobs or edges came or went.
  async refresh() {
    if (document.hidden) return;
    try {
      const address = new URL(`chains/states?${this.part.dataset.query}`, document.querySelector(".brand").href);
      const answer = await fetch(address, { headers: this.tag ? { "If-None-Match": this.tag } : {} });
      answered();
      if (answer.status !== 200) return;
      this.tag = answer.headers.get("ETag");
      const found = await answer.json();
      if (found.structure !== this.part.dataset.structure) {
        return this.replace(location.href);
      }
      for (const [name, fresh] of Object.entries(found.nodes)) this.update(this.nodes.get(name), fresh);
      const done = new Map(found.edges.map(([parent, child, outcome]) => [`${parent}\n${child}`, outcome]));
      for (const line of this.lines) {
        const outcome = done.get(`${line.dataset.from}\n${line.dataset.to}`);
        line.classList.toggle("done-success", outcome === "success");
        line.classList.toggle("done-failure", outcome === "failure");
      }
    } catch {
      unanswered(); // the next try may find it
    }
  }

  update(node, fresh) {
    if (!node) return;
    const kind = [...node.classList].find((each) => each.startsWith("state-"));
    if (kind === `state-${fresh.state}` && node.classList.contains("paused") === fresh.paused) return;
    const before = kind.slice("state-".length);
    node.classList.replace(kind, `state-${fresh.state}`);
    node.classList.toggle("paused", fresh.paused);
    const link = node.querySelector("a"), words = fresh.state.replaceAll("_", " ");
    link.setAttribute("href", fresh.address);
    link.setAttribute("aria-label", link.getAttribute("aria-label").replace(`, ${before.replaceAll("_", " ")}`, `, ${words}`));
    node.querySelector(".sign").textContent = SIGNS[fresh.state] ?? "";
    node.querySelector(".state").textContent = words + (fresh.paused ? " · paused" : "");
    this.map?.querySelector(`[data-of="${CSS.escape(node.dataset.name)}"]`)?.setAttribute("class", `state-${fresh.state}`);
    const badge = this.part.querySelector(`[data-row="${CSS.escape(node.dataset.name)}"] .badge`);
    if (badge) {
      badge.className = `badge state-${fresh.state}`;
      badge.replaceChildren(Object.assign(document.createElement("span"), { textContent: SIGNS[fresh.state] ?? "", ariaHidden: "true" }), ` ${words}`);
    }
  }

  // The whole drawing in small, with a frame around what is seen; for people with a mouse only.
  makeMap() {
    this.part.querySelector(".chain-map")?.remove();
    if (this.nodes.size < 12 || this.room.width < 640) return null;
    const map = document.createElementNS(NAMESPACE, "svg");
    map.setAttribute("class", "chain-map");
    map.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    map.setAttribute("aria-hidden", "true");
    for (const node of this.nodes.values()) {
      const at = place(node), mark = document.createElementNS(NAMESPACE, "rect");
      for (const [name, value] of [["x", at.x], ["y", at.y], ["width", WIDTH], ["height", HEIGHT], ["class", [...node.classList].find((each) => each.startsWith("state-"))], ["data-of", node.dataset.name]]) mark.setAttribute(name, value);
      map.append(mark);
    }
    this.frame = document.createElementNS(NAMESPACE, "rect");
    this.frame.setAttribute("class", "frame");
    map.append(this.frame);
    const look = (event) => {
      if (event.type === "pointermove" && !event.buttons) return;
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(map.getScreenCTM().inverse());
      this.show(at.x - this.room.width / this.scale / 2, at.y - this.room.height / this.scale / 2, this.scale);
    };
    for (const kind of ["pointerdown", "pointermove"]) map.addEventListener(kind, look);
    this.view.after(map);
    map.style.top = `${this.view.offsetTop + this.view.offsetHeight - 142}px`;
    map.style.bottom = "auto";
    return map;
  }
}

function place(node) {
  const matrix = node.transform.baseVal.getItem(0).matrix;
  return { x: matrix.e, y: matrix.f };
}

function grouped(lines, end) {
  const groups = new Map();
  for (const line of lines) groups.set(line.dataset[end], [...groups.get(line.dataset[end]) ?? [], line]);
  return groups;
}

const chains = [...document.querySelectorAll("[data-chain]")].map((part) => new Chain(part));
addEventListener("popstate", () => { if (document.querySelector("main.full")) chains[0]?.replace(location.href); });
