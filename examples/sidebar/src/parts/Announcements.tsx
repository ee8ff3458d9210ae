import { Value } from "../api/value.ts";
import { useValue } from "../hooks/value.ts";

const said = new Value("");

/** Announces a text to users of a screen reader. */
export function announce(text: string): void {
  said.set(said.get() === text ? `${text} ` : text); // a changed text is announced again
}

export function Announcements() {
  return (
    <div className="unseen" role="status" aria-live="polite" aria-atomic="true">
      {useValue(said)}
    </div>
  );
}
