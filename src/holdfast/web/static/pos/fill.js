// Data into marked places of a template. A place says what it takes:
//   data-text="path"        the text           data-hide="path" / data-show="path"   hidden or shown by truth
//   data-put="name:path"    an attribute (null takes it away; several with a space between)
//   data-value="path"       the value of a field, unless somebody is in it

function at(data, path) {
  return path.split(".").reduce((value, name) => value?.[name], data);
}

function each(root, name, act) {
  if (root.hasAttribute?.(name)) act(root, root.getAttribute(name));
  for (const node of root.querySelectorAll(`[${name}]`)) {
    if (!inner(node, root)) act(node, node.getAttribute(name));
  }
}

/** Is the node in a list of its own within the root? Rows are filled by their list. */
function inner(node, root) {
  const list = node.closest("[data-rows]");
  return list !== null && list !== root && list !== node && root.contains(list);
}

/** Put `data` into the marked places of `root`; only what differs is touched. */
export function fill(root, data) {
  each(root, "data-text", (node, path) => {
    const text = String(at(data, path) ?? "");
    if (node.textContent !== text) node.textContent = text;
  });
  each(root, "data-show", (node, path) => setHidden(node, !at(data, path)));
  each(root, "data-hide", (node, path) => setHidden(node, Boolean(at(data, path))));
  each(root, "data-put", (node, pairs) => {
    for (const pair of pairs.split(" ")) {
      const [name, path] = pair.split(":");
      put(node, name, at(data, path));
    }
  });
  each(root, "data-value", (node, path) => {
    const text = String(at(data, path) ?? "");
    if (node !== document.activeElement && node.value !== text) node.value = text;
  });
}

function setHidden(node, hidden) {
  if (node.hidden !== hidden) node.hidden = hidden;
}

function put(node, name, value) {
  if (value === null || value === undefined || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else if (node.getAttribute(name) !== String(value)) {
    node.setAttribute(name, String(value));
  }
}

/** Make a list show `items`: rows of its template, kept by `key(item)`. Calls `made(row, item)` for a new row. */
export function fillRows(list, items, key, made) {
  const template = document.getElementById(list.dataset.rows);
  const known = new Map([...list.children].map((row) => [row.dataset.key, row]));
  let last = null;
  for (const item of items) {
    const name = String(key(item));
    let row = known.get(name);
    known.delete(name);
    if (!row) {
      row = template.content.firstElementChild.cloneNode(true);
      row.dataset.key = name;
      made?.(row, item);
    }
    const place = last === null ? list.firstElementChild : last.nextElementSibling;
    if (row !== place) list.insertBefore(row, place);
    fill(row, item);
    last = row;
  }
  for (const row of known.values()) row.remove();
}
