// The list of jobs: check all of a table, count what is checked, send a filter as soon as it is chosen, and go through
// the bars of a strip by the arrow keys.

const bulk = document.getElementById("bulk");
const filters = document.querySelector("form.filters");

const boxes = (part = document) => [...part.querySelectorAll('input[name="name"][form="bulk"]')];

function showChosen() {
  const count = boxes().filter((box) => box.checked).length;
  for (const all of document.querySelectorAll("[data-check-all]")) {
    all.hidden = false;
    const own = boxes(all.closest("table"));
    const checked = own.filter((box) => box.checked).length;
    all.checked = checked > 0 && checked === own.length;
    all.indeterminate = checked > 0 && checked < own.length;
  }
  if (!bulk) return;
  bulk.querySelector("[data-chosen]").textContent = count ? `With ${count} checked` : "With the checked jobs";
  const isAny = count > 0 || bulk.elements.all.checked;
  for (const button of bulk.querySelectorAll("button")) button.disabled = !isAny;
}

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-check-all]")) {
    for (const box of boxes(event.target.closest("table"))) box.checked = event.target.checked;
  }
  if (event.target.matches("[type=checkbox]")) showChosen();
  if (filters && event.target.matches("form.filters select")) filters.requestSubmit();
});
document.addEventListener("keydown", (event) => {
  const bar = event.target.closest(".strip > .bar");
  if (!bar || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
  const { parentElement: strip, previousElementSibling: before, nextElementSibling: after } = bar;
  const wanted = { ArrowLeft: before, ArrowRight: after, Home: strip.firstElementChild, End: strip.lastElementChild }[event.key];
  if (!wanted) return;
  event.preventDefault();
  wanted.focus();
});
document.addEventListener("refreshed", showChosen);
// Chosen before this script was there to see it. (The form has no autocompletion: no browser fills it in by itself.)
const served = (select) => select.querySelector("option[selected]") ?? select.options[0];
if ([...(filters?.querySelectorAll("select") ?? [])].some((select) => select.value !== served(select).value)) filters.requestSubmit();
// Addresses stay short: fields that are empty are not sent.
filters?.addEventListener("submit", () => {
  for (const field of filters.elements) if (field.name && !field.value) field.disabled = true;
});
addEventListener("pageshow", () => {
  for (const field of filters?.elements ?? []) field.disabled = false;
  showChosen();
});
showChosen();
