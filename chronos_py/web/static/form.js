// The form: shows only what the chosen kind of job needs, and what a schedule means while it is typed.

const form = document.querySelector("form.job");
const preview = document.querySelector("[data-preview]");
let asking = new AbortController();

function showKind() {
  const kind = form.elements.kind.value;
  for (const part of form.querySelectorAll("[data-kind]")) part.hidden = part.dataset.kind !== kind;
}

function showProblem(words) {
  const problem = document.createElement("p");
  problem.className = "wrong";
  problem.textContent = words;
  preview.replaceChildren(problem);
}

// What the "Preview" button would show, asked of the same address; only the answer to the last question counts.
async function showPreview() {
  if (!form.elements.schedule.value.trim()) { preview.replaceChildren(); return; }
  const { signal } = asking = new AbortController();
  const body = new FormData(form);
  body.set("preview", "on");
  try {
    const answer = await fetch(location.href, { method: "POST", body, signal });
    const text = await answer.text();
    if (signal.aborted) return;
    const page = new DOMParser().parseFromString(text, "text/html");
    const fresh = page.getElementById(preview.id);
    if (fresh) preview.replaceChildren(...fresh.childNodes);
    else showProblem(page.querySelector("main p")?.textContent ?? "The server gave no answer to this schedule.");
  } catch {
    if (!signal.aborted) showProblem("The server cannot be reached, so nothing is known of this schedule.");
  }
}

let timer = 0;
form.addEventListener("input", (event) => {
  if (event.target.name === "kind") showKind();
  if (event.target.name !== "name" && !event.target.closest("[data-kind=schedule]")) return;
  asking.abort();
  clearTimeout(timer);
  timer = setTimeout(showPreview, 250);
});
document.querySelector("[data-without-module]").remove();
showKind();
showPreview();
