// Rows of a form: added from their template, removed, and values that are secret shown on demand.

export function watchRows(form) {
  form.addEventListener("click", (event) => {
    const button = event.target.closest("button[type=button]");
    if (!button) return;
    if (button.matches("[data-add]")) add(button.closest("[data-rows-of]"));
    if (button.matches("[data-remove]")) remove(button.closest("[data-row]"));
    if (button.matches("[data-reveal]")) reveal(button);
  });
}

// Without a module there is always a row to fill; with one a button makes it.
export function removeSpares(form) {
  for (const row of form.querySelectorAll("[data-spare]")) row.remove();
}

function add(rows) {
  const list = rows.querySelector("ul");
  const numbers = [...list.querySelectorAll("[name]")].map((field) => numberOf(rows.dataset.rowsOf, field.name));
  const first = Number(rows.querySelector(`[name="${CSS.escape(rows.dataset.rowsOf)}.rows"]`).value) || 0;
  const number = Math.max(first, ...numbers.map((each) => each + 1));
  const row = document.importNode(rows.querySelector("template").content, true).firstElementChild;
  for (const element of [row, ...row.querySelectorAll("*")]) {
    for (const { name, value } of [...element.attributes]) {
      if (value.includes("#")) element.setAttribute(name, value.replace(".#.", `.${number}.`).replace(/ #$/, ` ${number + 1}`));
    }
  }
  list.append(row);
  row.querySelector("input:not([type=hidden]), select, textarea").focus();
}

function numberOf(prefix, name) {
  return Number.parseInt(name.slice(prefix.length + 1), 10) || 0;
}

function remove(row) {
  const rows = row.closest("[data-rows-of]");
  const next = row.nextElementSibling ?? row.previousElementSibling;
  row.remove();
  (next?.querySelector("[data-remove]") ?? rows.querySelector("[data-add]")).focus();
  rows.querySelector("input").dispatchEvent(new Event("input", { bubbles: true }));
}

// Values of variables whose names say that they are secret. The server says which (null: as it wrote them).
export function hideSecrets(form, names) {
  for (const button of form.querySelectorAll("[data-row] [data-reveal]")) {
    const field = valueOf(button);
    if (!field) continue;
    const isSecret = names ? names.has(field.name) : field.type === "password" || field.classList.contains("secret");
    if (isSecret === !button.hidden) continue;
    button.hidden = !isSecret;
    set(button, field, isSecret);
  }
}

function valueOf(button) {
  return button.closest("[data-row]").querySelector("[name^='environmentVariables.'][name$='.value']");
}

function reveal(button) {
  set(button, valueOf(button), button.getAttribute("aria-pressed") === "true");
}

function set(button, field, isHidden) {
  button.setAttribute("aria-pressed", String(!isHidden));
  button.setAttribute("aria-label", `Show the ${(field.getAttribute("aria-label") ?? "value").toLowerCase()}`);
  button.textContent = isHidden ? "Show" : "Hide";
  if (field.matches("input")) field.type = isHidden ? "password" : "text";
  else field.classList.toggle("secret", isHidden);
}
