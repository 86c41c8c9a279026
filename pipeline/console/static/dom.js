// Elements from values: text is always text, and what is drawn again keeps focus, scroll and what people typed.

const SVG = "http://www.w3.org/2000/svg";
const HANDLERS = ["onclick", "onchange", "oninput", "onsubmit", "onkeydown", "ontoggle"];

// h("a.name", {href, onclick, key, …}, children…): children are nodes, text, numbers, or arrays of them; null and false are left out.
export function h(name, properties, ...children) {
  const [tag, ...classes] = name.split(".");
  return fill(document.createElement(tag), classes, properties, children);
}

export function s(name, properties, ...children) {
  const [tag, ...classes] = name.split(".");
  return fill(document.createElementNS(SVG, tag), classes, properties, children);
}

// An element that a module keeps drawing by itself: make(element, data) gives {update(data)}.
export function widget(name, properties, make, data) {
  const element = h(name, properties);
  element.widgetOf = { make, data };
  element.setAttribute("data-widget", "");
  return element;
}

function fill(element, classes, properties, children) {
  if (classes.length) element.setAttribute("class", classes.join(" "));
  for (const [name, value] of Object.entries(properties || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "key") element.key = value;
    else if (name === "value") { element.value = value; element.wanted = value; }
    else if (name === "class") element.setAttribute("class", [...classes, value].join(" "));
    else if (name.startsWith("on")) element[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(3)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  // The options of a select come after its properties.
  if (properties?.value !== undefined && element.tagName === "SELECT") element.value = properties.value;
  return element;
}

// Make the children of `parent` those of `fresh`, reusing what is there.
export function patch(parent, fresh) {
  const focused = document.activeElement;
  replaceChildren(parent, fresh.flat(3).filter((node) => node instanceof Node));
  if (focused && focused !== document.activeElement && focused.isConnected && parent.contains(focused)) {
    focused.focus({ preventScroll: true });
  }
  for (const element of parent.querySelectorAll("[data-widget]")) {
    if (!element.widget) element.widget = element.widgetOf.make(element, element.widgetOf.data);
  }
}

function replaceChildren(parent, fresh) {
  const wanted = new Set(fresh.filter((node) => node.key !== undefined).map((node) => node.key));
  const kept = new Map();
  for (const child of [...parent.childNodes]) {
    if (child.key === undefined) continue;
    if (wanted.has(child.key)) kept.set(child.key, child);
    else child.remove();
  }
  let at = parent.firstChild;
  for (const node of fresh) {
    const match = node.key !== undefined ? kept.get(node.key) : at && at.key === undefined ? at : null;
    if (match && alike(match, node)) {
      if (match === at) at = at.nextSibling;
      else parent.insertBefore(match, at);
      become(match, node);
    } else {
      parent.insertBefore(node, at);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function alike(one, other) {
  return one.nodeType === other.nodeType && one.nodeName === other.nodeName && one.widgetOf?.make === other.widgetOf?.make;
}

function become(element, fresh) {
  if (element.nodeType === Node.TEXT_NODE) {
    if (element.data !== fresh.data) element.data = fresh.data;
    return;
  }
  for (const { name } of [...element.attributes]) {
    if (!fresh.hasAttribute(name) && name !== "open" && name !== "style" && !element.widgetOf) element.removeAttribute(name);
  }
  for (const { name, value } of [...fresh.attributes]) {
    if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  }
  if (fresh.widgetOf) {
    element.widgetOf = fresh.widgetOf;
    element.widget?.update(fresh.widgetOf.data);
    return;
  }
  for (const name of HANDLERS) element[name] = fresh[name];
  replaceChildren(element, [...fresh.childNodes]);
  if (fresh.wanted !== undefined && element !== document.activeElement) element.value = fresh.wanted;
}
