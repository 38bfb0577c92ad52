// The schedule builder. It writes the one field "Schedule", and reads what stands there where it can show it.

const PERIODS = { minutes: ["PT", "M"], hours: ["PT", "H"], days: ["P", "D"], weeks: ["P", "W"], months: ["P", "M"] };
const WHOLE = { minutes: 60, hours: 24 };
const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

// --------------------------------------------------------------------------------------------- from text

// What each panel shows for a schedule; `tab` is the plainest one that can show all of it, "" for none.
export function read(text) {
  const iso = /^R(\d*)\/([^/]*)\/(P[^/]+)$/.exec(text.trim());
  if (iso) return readInterval(iso);
  const parts = text.trim().split(/\s+/);
  return parts.length === 5 ? readCron(parts) : { tab: "" };
}

function readInterval([, repeat, start, period]) {
  const local = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(?::00(?:\.0+)?)?$/.exec(start);
  const isBuilt = start === "" || local;
  const found = { tab: isBuilt ? "iso" : "", iso: { repeat, start: local ? `${local[1]}T${local[2]}` : "", period } };
  const simple = /^P(T?)(\d+)([MHDW])$/.exec(period);
  const unit = simple && Object.keys(PERIODS).find((each) => PERIODS[each].join("") === `P${simple[1]}${simple[3]}`);
  if (!unit || repeat || !isBuilt) return found;
  const [from, at] = local ? [local[1], local[2]] : ["", "03:00"];
  if (!local && !WHOLE[unit]) return found;
  if (local && WHOLE[unit] && at !== "00:00") return found;
  const every = { count: simple[2], unit, at, from: from, weekday: from ? String(dayOf(from)) : "1", day: from ? String(Number(from.slice(8))) : "1" };
  return { ...found, tab: "every", every };
}

function readCron(parts) {
  const [minute, hour, dom, month, dow] = parts;
  const found = { tab: "cron", cron: { minute, hour, dom, month, dow } };
  const rest = `${dom} ${month} ${dow}`;
  const minutes = /^(?:\*|\*\/(\d+))$/.exec(minute);
  if (minutes && hour === "*" && rest === "* * *") return { ...found, tab: "every", every: { unit: "minutes", count: minutes[1] ?? "1", from: "" } };
  const hours = /^(?:\*|\*\/(\d+))$/.exec(hour);
  if (minute === "0" && hours && rest === "* * *") return { ...found, tab: "every", every: { unit: "hours", count: hours[1] ?? "1", from: "" } };
  const all = [numbers(minute, 59), numbers(hour, 23)];
  if (all.some((each) => !each) || month !== "*") return found;
  const times = all[1].flatMap((h) => all[0].map((m) => clock(h, m)));
  const days = dow === "*" ? [] : weekdays(dow);
  const isDated = dom === "*" || dom.split(",").every((each) => /^(\d{1,2}|L)$/.test(each));
  if (!days || !isDated) return found;
  found.times = { times: times.join(", "), dates: dom === "*" ? "" : dom.split(",").join(", "), days };
  found.tab = "times";
  if (times.length > 1) return found;
  const once = { count: "1", at: times[0], from: "" };
  if (dom === "*" && dow === "*") return { ...found, tab: "every", every: { ...once, unit: "days" } };
  if (dom === "*" && days.length === 1) return { ...found, tab: "every", every: { ...once, unit: "weeks", weekday: String(days[0]) } };
  if (dow === "*" && /^\d+$/.test(dom)) return { ...found, tab: "every", every: { ...once, unit: "months", day: dom } };
  return found;
}

function numbers(text, most) {
  const found = text.split(",");
  return found.every((each) => /^\d{1,2}$/.test(each) && Number(each) <= most) ? found.map(Number) : null;
}

function weekdays(text) {
  const days = [];
  for (const each of text.toLowerCase().split(",")) {
    const [first, last = first] = each.split("-").map((word) => (/^[0-7]$/.test(word) ? Number(word) : DAYS.indexOf(word)));
    if (first < 0 || last < first) return null;
    for (let day = first; day <= last; day += 1) days.push(day % 7);
  }
  return days;
}

const clock = (hour, minute) => [hour, minute].map((each) => String(each).padStart(2, "0")).join(":");
const dayOf = (date) => new Date(`${date}T00:00:00Z`).getUTCDay();

// --------------------------------------------------------------------------------------------- to text

// The schedule that a panel says, or { problem } in words.
export function write(tab, parts) {
  if (tab === "every") return writeEvery(parts);
  if (tab === "times") return writeTimes(parts);
  if (tab === "cron") return { text: ["minute", "hour", "dom", "month", "dow"].map((each) => parts[each].trim() || "*").join(" ") };
  return { text: `R${parts.repeat.trim()}/${parts.start ? `${parts.start}:00` : ""}/${parts.period.trim()}` };
}

function writeEvery({ count, unit, at, weekday, day, from }) {
  const n = Number(count);
  if (!Number.isInteger(n) || n < 1) return { problem: "Every how many? A whole number from 1." };
  const [hour, minute] = (at || "00:00").split(":").map(Number);
  if (!from && n === 1) {
    const rest = { minutes: "* * * * *", hours: "0 * * * *", days: "* * *", weeks: `* * ${weekday}`, months: `${day || 1} * *` }[unit];
    return { text: WHOLE[unit] ? rest : `${minute} ${hour} ${rest}` };
  }
  if (!from && WHOLE[unit] % n === 0) return { text: unit === "minutes" ? `*/${n} * * * *` : `0 */${n} * * *` };
  const [before, after] = PERIODS[unit];
  return { text: `R/${startOf(unit, from, weekday, day)}T${WHOLE[unit] ? "00:00" : clock(hour, minute)}:00/${before}${n}${after}` };
}

// The first day from `from`, or from today, that fits.
function startOf(unit, from, weekday, day) {
  const date = new Date(`${from || new Date().toISOString().slice(0, 10)}T00:00:00Z`);
  const fits = () => (unit === "weeks" ? date.getUTCDay() === Number(weekday) : unit === "months" ? date.getUTCDate() === Number(day || 1) : true);
  for (let tries = 0; tries < 62 && !fits(); tries += 1) date.setUTCDate(date.getUTCDate() + 1);
  return date.toISOString().slice(0, 10);
}

function writeTimes({ times, days, dates }) {
  const found = times.split(/[\s,]+/).filter(Boolean).map((each) => /^(\d{1,2}):(\d\d)$/.exec(each));
  if (!found.length || found.some((each) => !each)) return { problem: "Give times such as 03:00, 15:00." };
  const hours = unique(found.map((each) => Number(each[1])));
  const minutes = unique(found.map((each) => Number(each[2])));
  if (hours.length * minutes.length !== unique(found.map((each) => Number(each[1]) * 60 + Number(each[2]))).length) {
    return { problem: "One cron expression can only have times with the same minutes, such as 03:15, 15:15. Use a job for each of these." };
  }
  const listed = dates.split(/[\s,]+/).filter(Boolean).join(",") || "*";
  return { text: `${minutes.join(",")} ${hours.join(",")} ${listed} * ${spans(days) || "*"}` };
}

const unique = (values) => [...new Set(values)].sort((a, b) => a - b);

// 1,2,3,4,5 as 1-5.
function spans(days) {
  const sorted = unique(days);
  if (sorted.length > 2 && sorted.at(-1) - sorted[0] === sorted.length - 1) return `${sorted[0]}-${sorted.at(-1)}`;
  return sorted.join(",");
}

// --------------------------------------------------------------------------------------------- the page

export function buildSchedule(form) {
  const builder = form.querySelector("[data-builder]");
  const field = form.elements.schedule;
  const note = builder.querySelector("[data-unfit]");
  const panelOf = (tab) => builder.querySelector(`[data-panel="${tab}"]`);
  const tab = () => builder.querySelector("[data-tab]:checked").value;
  let isWriting = false;

  function choose(wanted) {
    builder.querySelector(`[data-tab][value="${wanted}"]`).checked = true;
    for (const panel of builder.querySelectorAll("[data-panel]")) panel.hidden = panel.dataset.panel !== wanted;
  }

  function fill(found) {
    for (const name of ["every", "times", "cron", "iso"]) {
      for (const [part, value] of Object.entries(found[name] ?? {})) {
        const place = panelOf(name).querySelector(`[data-part="${part}"]`);
        if (place) place.value = value;
      }
    }
    if (found.times) for (const box of builder.querySelectorAll("[data-day]")) box.checked = found.times.days.includes(Number(box.dataset.day));
    showUnit();
  }

  function showUnit() {
    const unit = panelOf("every").querySelector("[data-part=unit]").value;
    for (const part of builder.querySelectorAll("[data-only]")) part.hidden = !part.dataset.only.split(" ").includes(unit);
  }

  function tell(words) {
    note.textContent = words;
    note.hidden = !words;
  }

  function readField() {
    const text = field.value.trim();
    if (!text) return;
    const found = read(text);
    fill(found);
    tell(found.tab ? "" : "The builder cannot show this schedule; it stays as it is written above until you change something here.");
    const canStay = found[tab()] && tab() !== "cron" && tab() !== "iso";
    if (found.tab && !canStay) choose(found.tab);
  }

  builder.addEventListener("input", (event) => {
    event.stopPropagation();
    if (event.target.matches("[data-tab]")) {
      choose(event.target.value);
      return;
    }
    showUnit();
    const panel = panelOf(tab());
    const parts = Object.fromEntries([...panel.querySelectorAll("[data-part]")].map((each) => [each.dataset.part, each.value]));
    parts.days = [...builder.querySelectorAll("[data-day]:checked")].map((each) => Number(each.dataset.day));
    const said = write(tab(), parts);
    tell(said.problem ?? "");
    if (said.problem) return;
    isWriting = true;
    field.value = said.text;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    isWriting = false;
  });
  field.addEventListener("input", () => { if (!isWriting) readField(); });
  choose("every");
  showUnit();
  readField();
}
