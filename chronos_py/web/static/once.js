// Who presses a button again because the answer is slow does not want the same done twice: a form that posts is sent
// once, until the page is left or the answer is overdue.

const OVERDUE = 8_000; // milliseconds

const sent = new WeakMap(); // when each form was

export function sendOnce() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || event.submitter?.formMethod === "get" || form.getAttribute("method") !== "post") return;
    if (Date.now() - (sent.get(form) ?? -Infinity) < OVERDUE) event.preventDefault();
    else sent.set(form, Date.now());
  });
  // The page came back as it was left: all can be sent again.
  addEventListener("pageshow", (event) => { if (event.persisted) for (const form of document.forms) sent.delete(form); });
}
