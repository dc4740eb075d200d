// Lists that change while a person looks: each item keeps its element, so that the focus and what is unfolded outlive an update.

/** Make these the children, in this order. Those that are in their place already are not touched. */
export function arrange(container, children) {
  const wanted = new Set(children), focused = document.activeElement;
  for (const child of [...container.childNodes]) {
    if (!wanted.has(child)) child.remove();
  }
  let at = container.firstChild;
  for (const child of children) {
    if (child === at) at = at.nextSibling;
    else container.insertBefore(child, at);
  }
  if (focused !== document.activeElement && container.contains(focused)) focused.focus({ preventScroll: true });
}

const kept = new WeakMap();

/** One child for each item: `key` tells it apart, `begin` makes a new one's `element`, and `update` if it changes; `none` stands for no item. */
export function keep(container, items, { key, begin, none }) {
  const before = kept.get(container) ?? new Map(), parts = new Map();
  for (const item of items.length || !none ? items : [none]) {
    const name = item === none ? none : key(item);
    const part = before.get(name) ?? (item === none ? { element: none() } : begin(item));
    part.update?.(item);
    parts.set(name, part);
  }
  kept.set(container, parts);
  arrange(container, [...parts.values()].map((part) => part.element));
}

/** Let an element say that, if it says anything else. */
export function write(element, text, kind = "") {
  if (element.textContent !== String(text)) element.textContent = text;
  if (element.className !== kind) element.className = kind;
}
