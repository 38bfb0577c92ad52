// Parents by search: a combobox over the names of jobs, and a chip for each one that was chosen. What counts is the
// text field with one name on each line, which the form has without this module too.

const MOST = 8;
const PAUSE = 150; // milliseconds after the last key

export function searchParents(form) {
  for (const part of form.querySelectorAll("[data-parents]")) if (!part.querySelector("[role=combobox]")) new Search(part);
}

function make(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

class Search {
  constructor(part) {
    this.lines = part.querySelector("textarea");
    this.lines.hidden = true;
    this.chips = make("ul", { className: "chips", ariaLabel: "Chosen parents" });
    this.field = make("input", { id: `${this.lines.id}-search`, type: "text", autocomplete: "off", placeholder: "Search a job …" });
    this.list = make("ul", { id: `${this.lines.id}-list`, className: "options", hidden: true, ariaLabel: "Jobs" });
    this.list.setAttribute("role", "listbox");
    for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-expanded", "false"], ["aria-controls", this.list.id]]) {
      this.field.setAttribute(name, value);
    }
    const described = this.lines.getAttribute("aria-describedby");
    const hint = part.querySelector("small");
    if (hint) hint.textContent = "Type a part of a name; Enter takes the marked one, Backspace removes the last.";
    this.field.setAttribute("aria-describedby", described ?? hint?.id ?? "");
    part.querySelector("label").htmlFor = this.field.id;
    this.lines.after(this.chips, make("div", { className: "combobox" }, this.field, this.list));
    this.field.addEventListener("input", (event) => { event.stopPropagation(); this.mark(-1); this.later(); }); // the list is of another text now
    this.field.addEventListener("focus", () => this.later());
    this.field.addEventListener("keydown", (event) => this.press(event));
    this.field.addEventListener("blur", () => this.close());
    this.list.addEventListener("mousedown", (event) => {
      event.preventDefault();
      const option = event.target.closest("[role=option]");
      if (option) this.take(option.dataset.name);
    });
    this.lines.form.addEventListener("submit", () => this.takeRest());
    this.draw();
  }

  get names() {
    return this.lines.value.split("\n").map((name) => name.trim()).filter(Boolean);
  }

  set names(names) {
    this.lines.value = names.join("\n");
    this.draw();
    this.lines.dispatchEvent(new Event("input", { bubbles: true }));
  }

  draw() {
    this.chips.hidden = !this.names.length;
    this.chips.replaceChildren(...this.names.map((name) => {
      const button = make("button", { type: "button", className: "icon", ariaLabel: `Remove ${name}` }, "✕");
      button.addEventListener("click", () => { this.names = this.names.filter((each) => each !== name); this.field.focus(); });
      return make("li", { className: "chip" }, make("span", {}, name), button);
    }));
  }

  later() {
    clearTimeout(this.timer);
    this.asked = null; // an answer that comes before that is to what was typed before
    this.timer = setTimeout(() => this.search(), PAUSE);
  }

  async search() {
    clearTimeout(this.timer); // a second answer would move the mark back to the first
    const text = this.field.value.trim();
    const form = this.lines.form;
    const own = form.elements.name.value.trim();
    this.asked = text;
    try {
      const query = new URLSearchParams({ q: text, limit: MOST + this.names.length + 1 });
      const answer = await fetch(new URL(`api/jobs?${query}`, document.querySelector(".brand").href));
      const found = answer.ok ? (await answer.json()).jobs : [];
      if (this.asked !== text || document.activeElement !== this.field) return;
      this.open(found.map((job) => job.name).filter((name) => name !== own && !this.names.includes(name)).slice(0, MOST));
    } catch {
      this.close(); // the server is away: a name can still be typed
    }
  }

  open(names) {
    this.list.replaceChildren(...names.map((name, index) => {
      const option = make("li", { id: `${this.list.id}-${index}` }, name);
      option.setAttribute("role", "option");
      option.dataset.name = name;
      return option;
    }));
    this.list.hidden = !names.length;
    this.field.setAttribute("aria-expanded", String(Boolean(names.length)));
    this.mark(this.field.value.trim() ? 0 : -1);
    document.getElementById("announcer").textContent = names.length ? `${names.length} jobs found` : "No job found";
  }

  close() {
    clearTimeout(this.timer);
    this.asked = null;
    this.list.hidden = true;
    this.field.setAttribute("aria-expanded", "false");
    this.field.removeAttribute("aria-activedescendant");
  }

  get options() {
    return this.list.hidden ? [] : [...this.list.children];
  }

  mark(index) {
    this.options.forEach((option, at) => option.setAttribute("aria-selected", String(at === index)));
    const option = this.options[index];
    if (option) {
      this.field.setAttribute("aria-activedescendant", option.id);
      option.scrollIntoView({ block: "nearest" });
    } else {
      this.field.removeAttribute("aria-activedescendant");
    }
  }

  press(event) {
    const at = this.options.findIndex((option) => option.ariaSelected === "true");
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!this.options.length) return this.search();
      const by = event.key === "ArrowDown" ? 1 : -1;
      this.mark((at + by + this.options.length) % this.options.length);
    } else if (event.key === "Enter") {
      const name = this.options[at]?.dataset.name ?? this.field.value.trim();
      if (!name) return;
      event.preventDefault();
      this.take(name);
    } else if (event.key === "Escape" && !this.list.hidden) {
      event.preventDefault();
      event.stopPropagation();
      this.close();
    } else if (event.key === "Backspace" && !this.field.value && this.names.length) {
      this.names = this.names.slice(0, -1);
    }
  }

  // What was typed and not taken yet when the form is sent is meant too; these fields may be replaced by then.
  takeRest() {
    const name = this.field.value.trim();
    if (name && this.field.isConnected) this.take(name);
  }

  take(name) {
    this.field.value = "";
    this.close();
    if (!this.names.includes(name)) this.names = [...this.names, name];
    document.getElementById("announcer").textContent = `${name} is a parent now`;
  }
}
