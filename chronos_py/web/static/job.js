// A question with fields (details[data-dialog]) becomes a dialogue: Escape closes it, the page behind it waits.

function show(details) {
  const form = details.querySelector("form");
  const dialog = document.createElement("dialog");
  dialog.className = "sheet";
  const title = document.createElement("h2");
  title.id = "sheet-title";
  title.textContent = details.querySelector("summary").textContent;
  dialog.setAttribute("aria-labelledby", title.id);
  const cancel = document.createElement("button");
  cancel.type = "button";
  cancel.textContent = "Cancel";
  cancel.addEventListener("click", () => dialog.close());
  const submit = form.querySelector("button:last-of-type");
  const buttons = document.createElement("p");
  buttons.className = "submit";
  submit.replaceWith(buttons);
  buttons.append(cancel, submit);
  dialog.append(title, form);
  // In the place of the form, so that a page that came back with an error has its words where they belong.
  details.append(dialog);
  dialog.addEventListener("close", () => {
    buttons.replaceWith(submit);
    dialog.replaceWith(form);
    details.open = false;
    details.querySelector("summary").focus();
  });
  dialog.showModal();
}

document.addEventListener("toggle", (event) => {
  const details = event.target;
  if (details.matches("details[data-dialog][open]") && !details.querySelector("dialog")) show(details);
}, true);
document.querySelectorAll("details[data-dialog][open]").forEach((details) => { if (!details.querySelector("dialog")) show(details); });
