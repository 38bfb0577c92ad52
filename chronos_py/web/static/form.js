// The form of a job. While it is filled, the server is asked what it says (show=check): the answer is the document as
// JSON, what is wrong with each field, what each group sets, and the preview. The other way round, a document that was
// changed as JSON becomes the fields again (show=fields). Both rules live on the server alone.

import { searchParents } from "./form-parents.js";
import { hideSecrets, removeSpares, watchRows } from "./form-rows.js";
import { buildSchedule } from "./form-schedule.js";
import { showTimes } from "./times.js";

const PAUSE = 250; // milliseconds after the last key

const form = document.querySelector("form.job");
const json = form.querySelector("[data-json]");
const jsonState = form.querySelector("[data-json-state]");
const state = form.querySelector("[data-state]");
const pane = document.getElementById("json-pane");
const secrets = form.querySelector("[data-json-secrets]");
const toggle = form.querySelector("[data-json-toggle]");
const touched = new Set([...form.querySelectorAll("[aria-invalid]")].map((field) => field.name));
let asking = new AbortController();
let timer = 0;
let isJsonChanged = false;
const typedSince = new Set(); // names of the fields that were changed after the JSON, before it was taken over
let isSaving = false;

const fields = () => form.querySelector("[data-fields]");
const wrongAt = (name) => document.getElementById(`${name}-wrong`);

// ------------------------------------------------------------------------------------------------- asking

function later(what) {
  asking.abort();
  clearTimeout(timer);
  timer = setTimeout(what, PAUSE);
}

async function ask(show, more = {}) {
  asking.abort();
  const { signal } = asking = new AbortController();
  const body = new FormData(form);
  body.set("show", show);
  if (secrets.getAttribute("aria-pressed") === "true") body.set("secrets", "shown");
  for (const [name, value] of Object.entries(more)) body.set(name, value);
  try {
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(body), signal });
    const text = await answer.text();
    if (signal.aborted) return null;
    say(answer.status === 403 ? "This page is too old to check what you type. Save it, or load it again." : "");
    return { answer, text };
  } catch {
    if (!signal.aborted) say("The server cannot be reached; what you type is not checked.");
    return null;
  }
}

function say(words) {
  if (state.textContent !== words) state.textContent = words;
}

async function check() {
  const found = await ask("check");
  if (!found || !found.answer.headers.get("Content-Type")?.includes("json")) return;
  const said = JSON.parse(found.text);
  if (!isJsonChanged && json.value !== said.document) json.value = said.document;
  if (!isJsonChanged) showJsonProblem("");
  showProblems(said.problems);
  showSummary(said.problems);
  hideSecrets(form, new Set(said.secrets));
  secrets.hidden = !said.secrets.length;
  for (const group of form.querySelectorAll("[data-group]")) {
    change(group.querySelector("[data-set]"), said.summaries[group.dataset.group] || "as usual");
  }
  const preview = form.querySelector("[data-preview]");
  const fresh = document.createElement("div");
  fresh.innerHTML = said.preview;
  showTimes(fresh);
  if (preview.innerHTML !== fresh.innerHTML) preview.replaceChildren(...fresh.childNodes);
}

function change(place, words) {
  if (place.textContent !== words) place.textContent = words;
}

// ------------------------------------------------------------------------------------------------- what is wrong

// At a field that was filled or left; what is merely still empty is not wrong yet.
function showProblems(problems) {
  for (const place of form.querySelectorAll("p.wrong[id$='-wrong']")) {
    const name = place.id.slice(0, -"-wrong".length);
    const field = form.elements[name];
    if (place.id !== "json-wrong") show(name, place, field?.value?.trim() || touched.has(name) ? problems[name] ?? "" : "");
  }
}

// What was wrong when it was sent, above the form: what has been mended since is no longer said.
function showSummary(problems) {
  const summary = form.querySelector("[data-summary]");
  if (!summary) return;
  const lines = [...summary.querySelectorAll("[data-of]")];
  for (const line of lines) {
    const words = problems[line.dataset.of] ?? "";
    line.hidden = !words;
    if (words) change(line.querySelector("a") ?? line, words);
  }
  summary.hidden = lines.every((line) => line.hidden);
}

function show(name, place, words) {
  change(place, words);
  place.hidden = !words;
  const field = document.getElementById(`${name}-search`) ?? document.getElementById(name);
  if (!field) return;
  if (words) field.setAttribute("aria-invalid", "true");
  else field.removeAttribute("aria-invalid");
  const others = (field.getAttribute("aria-describedby") ?? "").split(" ").filter((id) => id && id !== place.id);
  const described = words ? [place.id, ...others] : others;
  if (described.length) field.setAttribute("aria-describedby", described.join(" "));
  else field.removeAttribute("aria-describedby");
}

function showJsonProblem(words) {
  const place = wrongAt("json");
  change(place, words);
  place.hidden = !words;
  json.toggleAttribute("aria-invalid", Boolean(words));
  change(jsonState, words ? "not taken over" : "");
}

// ------------------------------------------------------------------------------------------------- from JSON

async function takeJson() {
  const found = await ask("fields", { json: json.value });
  if (!found) return false;
  const page = new DOMParser().parseFromString(found.text, "text/html");
  const fresh = page.querySelector("[data-fields]");
  if (!found.answer.ok || !fresh) {
    showJsonProblem(page.getElementById("json-wrong")?.textContent.trim() || "The server gave no answer to this.");
    return false;
  }
  const isOpen = new Map([...fields().querySelectorAll("details[id]")].map((each) => [each.id, each.open]));
  for (const each of fresh.querySelectorAll("details[id]")) each.open ||= isOpen.get(each.id) ?? false;
  const typed = [...typedSince].map((name) => form.elements[name]).filter((field) => field?.matches?.("input:not([type=checkbox]), textarea, select"));
  const focused = document.activeElement;
  const isInFields = fields().contains(focused);
  fields().replaceWith(document.importNode(fresh, true));
  for (const { name, value } of typed) if (form.elements[name]) form.elements[name].value = value;
  typedSince.clear();
  if (isInFields && focused.id) document.getElementById(focused.id)?.focus({ preventScroll: true });
  isJsonChanged = false;
  showJsonProblem("");
  prepare();
  await check();
  return true;
}

// ------------------------------------------------------------------------------------------------- the page

function showKind() {
  const kind = form.elements.kind.value;
  for (const part of form.querySelectorAll("[data-kind]")) {
    part.hidden = part.dataset.kind !== kind;
    if (part.matches("details") && !part.hidden) part.open = true;
  }
}

function prepare() {
  showKind();
  removeSpares(form);
  searchParents(form);
  buildSchedule(form);
  hideSecrets(form, null);
  offerZones();
}

function offerZones() {
  const field = form.elements.scheduleTimeZone;
  if (!document.getElementById("zones")) {
    const list = Object.assign(document.createElement("datalist"), { id: "zones" });
    list.append(...["UTC", ...(Intl.supportedValuesOf?.("timeZone") ?? [])].map((value) => Object.assign(document.createElement("option"), { value })));
    form.append(list);
  }
  field.setAttribute("list", "zones");
}

form.addEventListener("input", (event) => {
  if (event.target === json) {
    isJsonChanged = true;
    typedSince.clear();
    change(jsonState, "");
    later(takeJson);
    return;
  }
  if (isJsonChanged && event.target.name) typedSince.add(event.target.name);
  if (event.target.name === "kind") showKind();
  if (event.target.closest("[data-fields]") && event.target.name !== "builder") later(isJsonChanged ? takeJson : check);
});
form.addEventListener("focusout", (event) => {
  const name = event.target.name;
  if (!name || touched.has(name)) return;
  touched.add(name);
  if (wrongAt(name)) later(isJsonChanged ? takeJson : check);
});
form.addEventListener("submit", async (event) => {
  if (!isJsonChanged || isSaving) return;
  event.preventDefault(); // what was typed as JSON counts too
  clearTimeout(timer);
  const button = event.submitter;
  if (await takeJson()) {
    isSaving = true;
    form.requestSubmit(button);
  } else {
    json.focus();
  }
});

const NARROW = matchMedia("(max-width: 1100px)");
function showPane(isOpen) {
  pane.hidden = !isOpen;
  pane.toggleAttribute("data-open", isOpen); // on a small screen it is closed before this module comes
  toggle.setAttribute("aria-expanded", String(isOpen));
  form.classList.toggle("is-alone", !isOpen);
}
toggle.addEventListener("click", () => {
  showPane(pane.hidden);
  if (!pane.hidden && NARROW.matches) json.focus();
});
secrets.addEventListener("click", async () => {
  if (isJsonChanged && !await takeJson()) return;
  const isShown = secrets.getAttribute("aria-pressed") !== "true";
  secrets.setAttribute("aria-pressed", String(isShown));
  secrets.textContent = isShown ? "Hide secrets" : "Show secrets";
  check();
});
showPane(!NARROW.matches);
watchRows(form);
prepare();
check();
