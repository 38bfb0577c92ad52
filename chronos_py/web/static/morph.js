// Bring one element to look like another by changing only what differs: focus, selection, scroll, open details and
// what was typed stay. Children with an id or data-key are recognised by it, the others by their place.
//
//   data-keep          what is inside is left alone (another module fills it)
//   data-own="a b"     these attributes are left alone (another module sets them)

export function morph(old, fresh) {
  const focused = document.activeElement;
  change(old, fresh);
  if (focused !== document.activeElement && old.contains(focused)) focused.focus({ preventScroll: true });
}

function change(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  changeAttributes(old, fresh);
  if (!old.hasAttribute("data-keep")) changeChildren(old, fresh);
}

function changeAttributes(old, fresh) {
  const own = new Set((old.dataset.own ?? "").split(" "));
  if (old.matches("details, dialog")) own.add("open");
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !own.has(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && !own.has(name)) old.setAttribute(name, value);
  }
}

function keyOf(node) {
  return node.nodeType === Node.ELEMENT_NODE ? node.id || node.dataset.key || "" : "";
}

function changeChildren(old, fresh) {
  const byKey = new Map();
  for (const child of old.children) if (keyOf(child)) byKey.set(keyOf(child), child);
  let next = old.firstChild;
  for (const wanted of fresh.childNodes) {
    const present = findIn(byKey, next, wanted);
    if (!present) {
      old.insertBefore(document.importNode(wanted, true), next);
    } else {
      if (present === next) next = next.nextSibling;
      else old.insertBefore(present, next);
      change(present, wanted);
    }
  }
  while (next) {
    const gone = next;
    next = next.nextSibling;
    gone.remove();
  }
}

function findIn(byKey, next, wanted) {
  const key = keyOf(wanted);
  const candidate = key ? byKey.get(key) : next;
  const fits = candidate && candidate.nodeName === wanted.nodeName && keyOf(candidate) === key;
  return fits ? candidate : null;
}
