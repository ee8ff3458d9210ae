// The page of story.tsx: jsdom, with what assistant-ui needs of a browser.

import { JSDOM } from "jsdom";

const BODY = '<div id="mine"></div><div id="theirs"></div>';
const { window } = new JSDOM(BODY, { url: "http://localhost", pretendToBeVisual: true });
class Observer {
  observe() {}
  unobserve() {}
  disconnect() {}
}
const names = ["document", "navigator", "Node", "Element", "HTMLElement", "HTMLTextAreaElement", "MutationObserver", "Event",
  "CustomEvent", "requestAnimationFrame", "cancelAnimationFrame", "getComputedStyle"] as const;
for (const name of names) Object.defineProperty(globalThis, name, { value: (window as never)[name], configurable: true });
Object.assign(globalThis, { window, ResizeObserver: Observer, IntersectionObserver: Observer });
