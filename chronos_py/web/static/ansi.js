// Lines as a terminal would show them: colours and styles (SGR), carriage returns, backspaces. Everything else that
// only a terminal understands is left out. Nothing here becomes markup: the pieces are put into text nodes.

// CSI ... final byte; OSC ... BEL or ST; other escapes; and at the end of a line one that was cut.
const ESCAPE = /\x1b\[([0-9:;<=>?]*)[ -/]*([@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]|\x1b(?:\[[0-9:;<=>?]*[ -/]*)?$/g;
const UNSEEN = /[\x00-\x07\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]/g;
const LEVELS = [0, 95, 135, 175, 215, 255];

export const PLAIN = Object.freeze({ fore: "", back: "", marks: "" });

// A number of the 256 colours: one of the sixteen that themes know by a class, or its value.
function colour256(number) {
  if (number < 16) return String(number);
  if (number > 231) return `rgb(${Array(3).fill((number - 232) * 10 + 8)})`;
  const place = number - 16;
  return `rgb(${[LEVELS[Math.floor(place / 36)], LEVELS[Math.floor(place / 6) % 6], LEVELS[place % 6]]})`;
}

// What follows 38 or 48: its colour, and how many parameters it took.
function extended(codes, at) {
  if (codes[at] === 5) return [codes[at + 1] <= 255 ? colour256(codes[at + 1]) : "", 2];
  if (codes[at] !== 2) return ["", 1];
  const [red, green, blue] = codes.slice(at + 1, at + 4).map((level) => Math.min(level || 0, 255));
  return [`rgb(${[red ?? 0, green ?? 0, blue ?? 0]})`, 4];
}

const MARKS = { 1: "b", 2: "d", 3: "i", 4: "u", 7: "r", 8: "h", 9: "s", 21: "u" };
const ENDS = { 22: "bd", 23: "i", 24: "u", 27: "r", 28: "h", 29: "s" };

// The style after a "select graphic rendition" with these parameters.
export function restyle(style, parameters) {
  // With colons one parameter says it all: 38:2:[space]:r:g:b, 38:5:n, 4:3 (an underline of some shape).
  const flat = parameters.split(";").map((each) => {
    const parts = each.split(":");
    if (parts[0] === "4") return parts[1] === "0" ? "24" : "4";
    if (parts.length > 5 && parts[1] === "2") parts.splice(2, 1);
    return parts.join(";");
  }).join(";");
  const codes = flat.split(";").map(Number);
  let { fore, back, marks } = style;
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at];
    if (code === 0) { fore = ""; back = ""; marks = ""; }
    else if (MARKS[code]) { if (!marks.includes(MARKS[code])) marks += MARKS[code]; }
    else if (ENDS[code]) marks = [...marks].filter((mark) => !ENDS[code].includes(mark)).join("");
    else if (code >= 30 && code <= 37) fore = String(code - 30);
    else if (code >= 90 && code <= 97) fore = String(code - 82);
    else if (code >= 40 && code <= 47) back = String(code - 40);
    else if (code >= 100 && code <= 107) back = String(code - 92);
    else if (code === 39) fore = "";
    else if (code === 49) back = "";
    else if (code === 38 || code === 48) {
      const [colour, taken] = extended(codes, at + 1);
      if (code === 38) fore = colour; else back = colour;
      at += taken;
    }
  }
  return { fore, back, marks };
}

// A line in pieces of one style each, and the style that goes on into the next line.
export function readLine(text, style = PLAIN) {
  const pieces = [];
  let last = 0;
  const take = (words) => { if (words) pieces.push({ text: words.replace(UNSEEN, picture), style }); };
  if (text.includes("\x1b")) {
    for (const found of text.matchAll(ESCAPE)) {
      take(text.slice(last, found.index));
      last = found.index + found[0].length;
      if (found[2] === "m" && !/[<=>?]/.test(found[1])) style = restyle(style, found[1]);
      if (found[2] === "K") pieces.push({ text: "", style, erase: Number(found[1]) || 0 });
    }
  }
  take(text.slice(last));
  const moves = /[\r\b]/.test(text) || pieces.some((piece) => "erase" in piece);
  return { pieces: moves ? overwritten(pieces) : pieces, style };
}

function picture(character) {
  if (character === "\x07") return "";
  return character === "\x7f" ? "\u2421" : String.fromCharCode(0x2400 + character.charCodeAt(0));
}

// Carriage returns, backspaces and "erase in line": what comes later is written over what was there.
function overwritten(pieces) {
  const cells = [];
  let place = 0;
  for (const { text, style, erase } of pieces) {
    if (erase === 0) cells.length = Math.min(cells.length, place);
    if (erase === 1 || erase === 2) for (let at = 0; at < (erase === 1 ? place : cells.length); at += 1) cells[at] = { character: " ", style: PLAIN };
    for (const character of text) {
      if (character === "\r") place = 0;
      else if (character === "\b") place = Math.max(place - 1, 0);
      else { cells[place] = { character, style }; place += 1; }
    }
  }
  const shown = [];
  while (cells.length && cells.at(-1)?.character === " " && cells.at(-1).style === PLAIN) cells.pop();
  for (const { character, style } of cells) {
    const before = shown.at(-1);
    if (before?.style === style) before.text += character; else shown.push({ text: character, style });
  }
  return shown;
}

// A node for a piece: text alone where it has no style. True colours are set by script, as the policy of the page
// allows; the sixteen have classes, so that they fit the theme.
export function styled(words, style) {
  const text = document.createTextNode(words);
  const { fore, back, marks } = style;
  if (!fore && !back && !marks) return text;
  const span = document.createElement("span");
  span.className = [...marks].map((mark) => `ansi-${mark}`).join(" ");
  paint(span, "fore", "color", fore);
  paint(span, "back", "background-color", back);
  span.append(text);
  return span;
}

function paint(span, name, property, colour) {
  if (colour.startsWith("rgb")) span.style.setProperty(property, colour);
  else if (colour) span.classList.add(`ansi-${name}-${colour}`);
}
