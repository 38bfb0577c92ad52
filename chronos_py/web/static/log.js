// Output that follows: reads on from where the page's copy ends, until the server says that nothing will follow.

const MOST = 4 * 1024 * 1024; // characters kept in the page; "whole" has the rest
const PAUSE = 700;

async function follow(box) {
  const decoder = new TextDecoder();
  const address = new URL(box.dataset.log, location.href);
  if (box.dataset.attempt) address.searchParams.set("attempt", box.dataset.attempt);
  let offset = 0;
  let text = "";
  for (;;) {
    address.searchParams.set("offset", offset);
    let answer = null;
    try { answer = await fetch(address); } catch { /* the server is away: try again */ }
    if (answer?.ok) {
      const piece = decoder.decode(await answer.arrayBuffer(), { stream: true });
      const following = box.scrollTop + box.clientHeight >= box.scrollHeight - 8;
      if (offset === 0) box.textContent = "";
      if (piece) {
        text = (text + piece).slice(-MOST);
        if (text.length === MOST) box.textContent = text;
        else box.append(piece);
      }
      offset = Number(answer.headers.get("X-Next-Offset"));
      if (following) box.scrollTop = box.scrollHeight;
      if (answer.headers.get("X-Log-Complete") === "true") return;
      if (piece) continue;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}

document.querySelectorAll("[data-log]").forEach(follow);
