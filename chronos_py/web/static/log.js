// The output of a run: its panes, which of them are seen, long lines, and the place in a long stream.

import { refresh } from "./live.js";
import { LogPane } from "./log-pane.js";
import { LogSearch } from "./log-search.js";

const UNITS = [[1024 ** 3, "GB"], [1024 ** 2, "MB"], [1024, "kB"]];
const WRAP = "chronos-log-wrap";

function size(bytes) {
  const [unit, name] = UNITS.find(([each]) => bytes >= each) ?? [1, "bytes"];
  return `${unit === 1 ? bytes : (bytes / unit).toFixed(1)} ${name}`;
}

function set(element, words) {
  if (element && element.textContent !== words) element.textContent = words;
}

function start(part, section) {
  const pane = new LogPane(part.querySelector("[data-log]"));
  const find = (selector) => part.querySelector(selector);
  const [follow, slider, note] = [find("[data-follow]"), find("input[type=range]"), find("[data-note]")];
  const tab = section.querySelector(`[data-size="${part.dataset.stream}"]`);
  find("form").hidden = false;
  new LogSearch(find("form"), pane);
  follow.addEventListener("click", () => pane.follow(!pane.isFollowing));
  slider.addEventListener("change", () => pane.show(Number(slider.value)));

  // What is said of the run above shall not be behind its output: it begins, and it ends.
  let told = "";
  const tell = () => {
    const stage = `${pane.attempt} ${pane.end > 0} ${pane.complete}`;
    if (told && told !== stage && document.querySelector("[data-attempts][data-live]")) refresh();
    told = stage;
  };
  const moved = () => { if (document.activeElement !== slider) slider.value = pane.position; };
  const changed = () => {
    const isLong = pane.window.from > 0 || !pane.isAtEnd;
    part.classList.toggle("is-long", isLong);
    slider.max = pane.end;
    slider.setAttribute("aria-valuetext", `at ${size(pane.position)} of ${size(pane.end)}`);
    if (isLong) moved();
    follow.hidden = pane.complete && !isLong;
    set(follow, pane.complete ? "To the end" : "Follow");
    follow.setAttribute("aria-pressed", pane.isFollowing);
    set(tab, pane.end ? size(pane.end) : "");
    set(note, pane.problem || (pane.end ? size(pane.end) : pane.complete ? "nothing was written" : "nothing yet"));
    tell();
    pane.box.dataset.state = pane.attempt === null ? "loading" : pane.complete ? "complete" : "live";
  };
  pane.addEventListener("changed", changed);
  pane.addEventListener("moved", moved);
  part.addEventListener("seen", () => pane.seen());
  pane.addEventListener("restarted", ({ detail }) => {
    for (const place of section.querySelectorAll("[data-attempt-shown]")) set(place, String(detail));
  });
}

// Which of the streams are seen; the address keeps it.
function choose(section, view) {
  section.dataset.view = view;
  for (const link of section.querySelectorAll("a[data-view]")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  for (const part of section.querySelectorAll("[data-stream]")) {
    part.hidden = view !== "both" && part.dataset.stream !== view;
    part.dispatchEvent(new Event("seen"));
  }
}

function remembered() {
  try { return localStorage.getItem(WRAP) !== "off"; } catch { return true; } // a browser may keep nothing
}

function remember(wraps) {
  try { localStorage.setItem(WRAP, wraps ? "on" : "off"); } catch { /* then not */ }
}

for (const section of document.querySelectorAll("section.log")) {
  const wrap = section.querySelector("[data-wrap]");
  wrap.checked = remembered();
  section.classList.toggle("wraps", wrap.checked);
  wrap.addEventListener("change", () => { section.classList.toggle("wraps", wrap.checked); remember(wrap.checked); });
  wrap.closest("label").hidden = false;
  section.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-view]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    choose(section, link.dataset.view);
    history.replaceState(null, "", link.href);
  });
  for (const part of section.querySelectorAll("[data-stream]")) start(part, section);
}
