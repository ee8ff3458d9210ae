import { useSyncExternalStore } from "react";

let said = "";
let changed = () => {};

/** Announces a text to users of a screen reader. */
export function announce(text: string): void {
  said = said === text ? `${text} ` : text; // a changed text is announced again
  changed();
}

function subscribe(listener: () => void): () => void {
  changed = listener; // there is one element
  return () => (changed = () => {});
}

export function Announcements() {
  return (
    <div className="unseen" role="status" aria-live="polite" aria-atomic="true">
      {useSyncExternalStore(subscribe, () => said)}
    </div>
  );
}
