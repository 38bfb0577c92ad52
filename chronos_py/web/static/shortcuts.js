// The keyboard. What a page offers is in its markup:
//
//   data-search         the field that "/" goes to
//   data-go="j"         a link that "g j" follows (the navigation has them)
//   data-key="r"        a link or button that "r" presses: that of the chosen row, else the page's first outside of rows;
//                       data-ask="question" is asked before, with the button's name as the answer
//   data-rows           a table or list whose rows "j" and "k" go through; a row is chosen by the focus on its first link
//
// Nothing happens while somebody types, or with Ctrl, Alt or Meta.

import { confirm, element, open } from "./dialogs.js";

const LONGEST_PAUSE = 1200; // milliseconds between the two keys of "g j"
const TYPED_IN = "input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]";
const KEYS = [
  ["/", "Search"], ["j", "Next row"], ["k", "Row before"], ["o or Enter", "Open the row"], ["x", "Check the row"],
  ["r", "Force run the job, or that of the row"], ["e", "Edit"], ["n", "New job"], ["Escape", "Leave a field or dialogue"], ["?", "This list"],
];

let wasG = 0;

export function listen() {
  const button = document.querySelector("[data-shortcuts]");
  if (button) {
    button.hidden = false;
    button.addEventListener("click", showKeys);
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
    if (document.querySelector("dialog[open]")) return;
    if (event.target.matches(TYPED_IN)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (act(event.key, event)) event.preventDefault();
  });
}

// Whether the key means something here.
function act(key, event) {
  if (Date.now() - wasG < LONGEST_PAUSE) {
    wasG = 0;
    const link = document.querySelector(`[data-go="${CSS.escape(key)}"]`);
    if (link) link.click();
    return Boolean(link);
  }
  if (key === "g") { wasG = Date.now(); return true; }
  if (key === "?") { showKeys(); return true; }
  if (key === "/") return press(document.querySelector("[data-search]"), (field) => { field.focus(); field.select(); });
  if (key === "j" || key === "k") return step(key === "j" ? 1 : -1);
  if (key === "o") return press(chosen(), (row) => linkOf(row).click());
  if (key === "x") return press(chosen()?.querySelector("input[type=checkbox]"), (box) => box.click());
  return key.length === 1 && !event.repeat && press(target(key), pressButton);
}

function press(found, how) {
  if (found) how(found);
  return Boolean(found);
}

function rows() {
  return [...document.querySelectorAll("[data-rows] tbody tr, [data-rows] > li")].filter((row) => linkOf(row) && row.checkVisibility());
}

const linkOf = (row) => row.querySelector("th a[href], td a[href], a[href]");

function chosen() {
  return document.activeElement?.closest("[data-rows] tbody tr, [data-rows] > li");
}

function step(by) {
  const all = rows();
  const at = all.indexOf(chosen());
  const row = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + by, 0), all.length - 1)];
  if (!row) return false;
  linkOf(row).focus();
  row.scrollIntoView({ block: "nearest" });
  return true;
}

function target(key) {
  const wanted = `[data-key="${CSS.escape(key)}"]`;
  return chosen()?.querySelector(wanted) ?? [...document.querySelectorAll(wanted)].find((each) => !each.closest("[data-rows]"));
}

async function pressButton(button) {
  const question = button.dataset.ask;
  if (!question || await confirm(question, button.textContent.trim())) button.click();
}

function showKeys() {
  const dialog = element("dialog", "", { className: "shortcuts" });
  const list = element("dl");
  const places = [...document.querySelectorAll("[data-go]")].map((link) => [`g ${link.dataset.go}`, link.textContent.trim()]);
  for (const [keys, words] of [...KEYS, ...places]) {
    const line = element("div");
    const names = element("dt");
    keys.split(" ").forEach((key) => names.append(key === "or" ? " or " : element("kbd", key), " "));
    line.append(names, element("dd", words));
    list.append(line);
  }
  const title = element("h2", "Keyboard shortcuts", { id: "shortcuts-title" });
  const form = element("form", "", { method: "dialog" });
  form.append(element("button", "Close", { autofocus: true }));
  dialog.append(title, list, form);
  dialog.setAttribute("aria-labelledby", title.id);
  open(dialog);
}
