// The form: shows only what the chosen kind of job needs, and what a schedule means while it is typed.

const form = document.querySelector("form.job");
const preview = document.querySelector("[data-preview]");
let latest = 0;

function showKind() {
  const kind = form.elements.kind.value;
  for (const part of form.querySelectorAll("[data-kind]")) part.hidden = part.dataset.kind !== kind;
}

async function showPreview() {
  const mine = ++latest;
  const schedule = form.elements.schedule.value.trim();
  if (!schedule) { preview.textContent = ""; return; }
  const body = JSON.stringify({ schedule, scheduleTimeZone: form.elements.scheduleTimeZone.value.trim(), name: form.elements.name.value.trim(), count: 5 });
  const answer = await fetch("/api/schedules/preview", { method: "POST", headers: { "Content-Type": "application/json" }, body });
  const found = await answer.json();
  if (mine !== latest) return;
  preview.classList.toggle("wrong", !answer.ok);
  if (!answer.ok) { preview.textContent = found.detail; return; }
  const meaning = document.createElement("b");
  meaning.textContent = found.description;
  const times = found.next.map((time) => time.replace("T", " ")).join(" · ") || "no more runs";
  preview.replaceChildren(meaning, ` — next: ${times}`);
}

let timer = 0;
form.addEventListener("input", (event) => {
  if (event.target.name === "kind") showKind();
  if (!["name", "schedule", "scheduleTimeZone"].includes(event.target.name)) return;
  clearTimeout(timer);
  timer = setTimeout(showPreview, 250);
});
showKind();
showPreview();
