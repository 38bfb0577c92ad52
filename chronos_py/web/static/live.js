// Live parts: every element with an id and data-live="SECONDS" is kept as the server has it now. The page is asked for
// once for all of them, with its ETag; what changed is changed in place. After that the part sends "refreshed"; one
// that has lost data-live has ended and sends "ended" too. Nothing is asked while the page is hidden or a dialogue is
// open; a part in which somebody types or selects waits.
//
//   data-announce="words"   when the text of this element changes, a screen reader says the words and the text

import { morph } from "./morph.js";
import { showTimes } from "./times.js";

const TYPED_IN = "input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]";
const FAILURES = 3;
const SILENT = "The server does not answer; this page may be out of date.";
const GONE = new Error("What this page shows is no longer there: it was deleted or has another name.");
const SILENCE = 10_000; // milliseconds after which an answer is waited for no longer

const parts = () => [...document.querySelectorAll("[data-live][id]")];
const seen = new Map(); // what the server said of each part last
let tag = "";
let failures = 0;
let timer = 0;
let asking = new AbortController();

export function keepLive() {
  schedule();
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
}

function schedule() {
  clearTimeout(timer);
  const seconds = parts().map((part) => Number(part.dataset.live) || 5);
  if (seconds.length) timer = setTimeout(refresh, Math.min(...seconds) * 1000);
}

// Ask for the page now; also for a module that has just changed something.
export async function refresh() {
  clearTimeout(timer);
  asking.abort(); // an answer to what was asked before would be older
  if (!document.hidden && !isAnswering()) {
    const mine = asking = new AbortController();
    const patience = setTimeout(() => mine.abort(), SILENCE);
    try {
      await ask(mine.signal);
      answered();
    } catch (error) {
      // The server is away, and the next try may find it; or it says that there is nothing here now.
      if (mine === asking) unanswered(error === GONE, error === GONE ? GONE.message : SILENT);
    }
    clearTimeout(patience);
  }
  schedule();
}

const isAnswering = () => Boolean(document.querySelector("dialog[open]"));

async function ask(signal) {
  const headers = { "X-Live": "1", ...(tag ? { "If-None-Match": tag } : {}) };
  const address = location.href;
  const answer = await fetch(address, { headers, signal });
  if (answer.status === 304) return;
  if (answer.status === 404) throw GONE;
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (address !== location.href || isAnswering()) return; // somebody went on meanwhile, or is being asked something
  const isWhole = parts().map((part) => replace(part, page.getElementById(part.id))).every(Boolean);
  tag = isWhole ? answer.headers.get("ETag") ?? "" : "";
}

// Whether the part is as the server has it.
function replace(part, fresh) {
  if (!fresh) return true;
  const text = fresh.outerHTML;
  if (seen.get(part.id) === text) return true;
  if (isInUse(part)) return false;
  seen.set(part.id, text);
  showTimes(fresh);
  const before = announced(part);
  morph(part, fresh);
  announce(before, announced(part));
  part.dispatchEvent(new CustomEvent("refreshed", { bubbles: true }));
  if (!part.hasAttribute("data-live")) part.dispatchEvent(new CustomEvent("ended", { bubbles: true }));
  return true;
}

function isInUse(part) {
  const active = document.activeElement;
  const selection = document.getSelection();
  const isTyping = active && part.contains(active) && active.matches(TYPED_IN);
  const isSelecting = selection && !selection.isCollapsed && part.contains(selection.anchorNode);
  return isTyping || isSelecting || Boolean(part.querySelector("details.ask[open]"));
}

function announced(part) {
  return new Map([...part.querySelectorAll("[data-announce]")].map((each) => [each.dataset.announce, each.textContent.trim()]));
}

function announce(before, after) {
  const words = [...after].filter(([what, text]) => before.has(what) && before.get(what) !== text);
  if (words.length) document.getElementById("announcer").textContent = words.map((pair) => pair.join(" ")).join(". ");
}

// Whether the server answers, of what this module asks or another; what somebody waits for is told of at once.
export function answered() { tell(0); }
export function unanswered(isAwaited = false, words = SILENT) {
  tell(isAwaited ? Math.max(failures, FAILURES) : failures + 1, words);
}

// At the lower edge, and to a screen reader.
function tell(count, words = "") {
  failures = count;
  const footer = document.querySelector("body > footer");
  const place = document.getElementById("announcer");
  const told = footer.dataset.stale ?? "";
  const said = count >= FAILURES ? words : "";
  if (said === told) return;
  if (said) footer.dataset.stale = said;
  else delete footer.dataset.stale;
  if (said || place.textContent === told) place.textContent = said;
}
