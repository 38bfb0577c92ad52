// Light or dark: what the system says, until somebody chooses. A cookie keeps the choice, so that the server sends the
// page in the right colours at once; it is forgotten when it is what the system says anyway.

const YEAR = 60 * 60 * 24 * 365;
const dark = matchMedia("(prefers-color-scheme: dark)");
const root = document.documentElement;

const isDark = () => (root.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";

export function offerThemes() {
  const button = document.querySelector("[data-theme-toggle]");
  if (!button) return;
  const show = () => button.setAttribute("aria-pressed", String(isDark()));
  button.hidden = false;
  show();
  dark.addEventListener("change", show);
  button.addEventListener("click", () => {
    choose(isDark() ? "light" : "dark");
    show();
  });
}

function choose(theme) {
  const isSystems = theme === (dark.matches ? "dark" : "light");
  if (isSystems) delete root.dataset.theme;
  else root.dataset.theme = theme;
  document.cookie = `chronos-theme=${isSystems ? "" : theme}; path=/; max-age=${isSystems ? 0 : YEAR}; samesite=lax`;
}
