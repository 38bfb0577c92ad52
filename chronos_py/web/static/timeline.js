// Days begin when they do for the person who looks: as soon as the zone is kept, the page is asked for again, once.

import { keepZone, zone } from "./times.js";

const field = document.querySelector("[data-viewer-zone]");
if (field && !("chosen" in field.dataset)) {
  keepZone();
  if (field.value !== zone && document.cookie.includes("zone=")) location.replace(location.href);
}

// The arrow keys go to the next day or the one before, as the buttons do.
document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, select, textarea, .bars") || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  const link = { ArrowLeft: "a[rel=prev]", ArrowRight: "a[rel=next]" }[event.key];
  if (!link) return;
  const target = document.querySelector(`main ${link}`);
  if (target) location.assign(target.href);
});
