// Questions and lists in a <dialog>; Escape and the second button answer no.

export function open(dialog) {
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
  return dialog;
}

export function element(name, words = "", properties = {}) {
  const made = Object.assign(document.createElement(name), properties);
  if (words) made.textContent = words;
  return made;
}

// Ask whether to go on; resolves to true or false.
export function confirm(question, yes) {
  const dialog = element("dialog", "", { className: "question" });
  const form = element("form", "", { method: "dialog" });
  const buttons = element("p", "", { className: "submit" });
  buttons.append(
    element("button", yes, { className: "primary", value: "yes", autofocus: true }),
    element("button", "Cancel", { value: "no" }),
  );
  const title = element("h2", question, { id: "question" });
  form.append(title, buttons);
  dialog.append(form);
  dialog.setAttribute("aria-labelledby", title.id);
  open(dialog);
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes")));
}
