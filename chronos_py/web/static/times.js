// Times in the viewer's zone; the job's own zone (data-job-zone) is told on hover.
//
//   <time datetime>                 the time itself
//   <time datetime data-relative>   how far away it is; counts on by itself
//   <time datetime data-zoned>      stays as the server wrote it
//   <span data-zone>                the name of the viewer's zone

export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

const clock = { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
// As the server writes it once it knows the zone, so that nothing moves.
const thisYear = new Intl.DateTimeFormat("en-US", clock);
const exact = new Intl.DateTimeFormat("en-US", { ...clock, year: "numeric" });
const full = { ...clock, weekday: "short", year: "numeric" };
const inZone = new Map();
const UNITS = [[86400, "d"], [3600, "h"], [60, "min"]];
const EVERY = 1000;

// The server tells the next page's times in this zone from the start.
export function keepZone() {
  const kept = `zone=${zone}`;
  if (!document.cookie.split("; ").includes(kept)) document.cookie = `${kept}; path=/; max-age=31536000; samesite=lax`;
}

export function showTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    time.title = titleOf(time, moment);
    if (time.matches("[data-zoned]")) continue;
    if (time.matches("[data-relative]")) time.textContent = relative(moment);
    else time.textContent = (moment.getFullYear() === new Date().getFullYear() ? thisYear : exact).format(moment);
  }
  for (const place of root.querySelectorAll("[data-zone]")) place.textContent = zone;
}

function titleOf(time, moment) {
  const lines = [`${inThe(zone, moment)} (${zone})`];
  const own = time.dataset.jobZone;
  if (own && own !== zone) lines.push(`${inThe(own, moment)} (${own}, the job's zone)`);
  return [...lines, time.dateTime].join("\n");
}

function inThe(name, moment) {
  if (!inZone.has(name)) inZone.set(name, formatOf(name));
  return inZone.get(name)?.format(moment) ?? "";
}

function formatOf(timeZone) {
  try {
    return new Intl.DateTimeFormat("en-US", { ...full, timeZone });
  } catch {
    return null; // a zone that this browser does not know
  }
}

// "in 3 h 12 min", "45 s ago": two units, seconds only below a minute.
export function relative(moment, now = Date.now()) {
  const distance = (moment.getTime() - now) / 1000;
  const words = span(Math.abs(distance));
  return distance > 0 ? `in ${words}` : `${words} ago`;
}

function span(seconds) {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const first = UNITS.findIndex(([size]) => seconds >= size);
  const [size, unit] = UNITS[first];
  const [below, small] = UNITS[first + 1] ?? [0, ""];
  const rest = below ? Math.floor(seconds % size / below) : 0;
  return `${Math.floor(seconds / size)} ${unit}` + (rest ? ` ${rest} ${small}` : "");
}

// Counts what is relative, and durations of what still runs: <span data-since="TIME">.
export function tick() {
  setInterval(() => {
    if (document.hidden) return;
    for (const time of document.querySelectorAll("time[data-relative]")) change(time, relative(new Date(time.dateTime)));
    for (const place of document.querySelectorAll("[data-since]")) {
      change(place, span(Math.max(0, (Date.now() - new Date(place.dataset.since)) / 1000)));
    }
  }, EVERY);
}

function change(place, words) {
  if (place.textContent !== words) place.textContent = words;
}
