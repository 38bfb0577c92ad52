// What every page does: times in the viewer's zone, live parts that refresh, "/" for the search field.

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
const clock = { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
const thisYear = new Intl.DateTimeFormat(undefined, clock);
const exact = new Intl.DateTimeFormat(undefined, { ...clock, year: "numeric" });

function showLocalTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    time.title = `${exact.format(moment)} (${zone})\n${time.dateTime}`;
    if (time.matches("[data-relative], [data-zoned]")) continue;
    const format = moment.getFullYear() === new Date().getFullYear() ? thisYear : exact;
    time.textContent = format.format(moment);
  }
  for (const place of root.querySelectorAll("[data-zone]")) place.textContent = zone;
}

// A live part is fetched again with its page and put in the place of the old one, unless somebody works in it.
async function refresh(part, tag) {
  const busy = document.hidden || part.contains(document.activeElement) && document.activeElement.matches("input, select, textarea");
  if (busy || part.querySelector("details.ask[open]")) return tag;
  const answer = await fetch(location.href, { headers: tag ? { "If-None-Match": tag } : {} });
  if (!answer.ok) return tag;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = part.id ? page.getElementById(part.id) : null;
  if (!fresh) return answer.headers.get("ETag");
  showLocalTimes(fresh);
  const open = [...part.querySelectorAll("details")].map((each) => each.open);
  const focused = part.contains(document.activeElement) ? pathTo(document.activeElement) : null;
  part.replaceChildren(...fresh.childNodes);
  part.querySelectorAll("details").forEach((each, index) => { each.open = open[index] ?? false; });
  if (focused) part.querySelector(focused)?.focus({ preventScroll: true });
  if (!fresh.hasAttribute("data-live")) { part.removeAttribute("data-live"); document.dispatchEvent(new Event("ended")); }
  return answer.headers.get("ETag");
}

function pathTo(element) {
  if (element.matches("a[href]")) return `a[href="${CSS.escape(element.getAttribute("href"))}"]`;
  const form = element.closest("form[action]");
  return form ? `form[action="${CSS.escape(form.getAttribute("action"))}"] button` : null;
}

function keepLive(part) {
  let tag = null;
  const again = async () => {
    if (!part.hasAttribute("data-live")) return;
    try { tag = await refresh(part, tag); } catch { /* the server is away: the next try may find it */ }
    setTimeout(again, Number(part.dataset.live) * 1000 || 5000);
  };
  setTimeout(again, Number(part.dataset.live) * 1000 || 5000);
}

showLocalTimes(document);
document.querySelectorAll("[data-live]").forEach(keepLive);
document.addEventListener("keydown", (event) => {
  const search = document.querySelector("[data-search]");
  if (event.key !== "/" || !search || event.target.matches("input, textarea, select")) return;
  event.preventDefault();
  search.focus();
});
