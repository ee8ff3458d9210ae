import { Value } from "../api/value.ts";
import { useValue } from "../hooks/value.ts";

const said = new Value("");

/** Says something to people who listen to the page instead of looking at it. */
export function announce(text: string): void {
  said.set(said.get() === text ? `${text} ` : text); // the same words again are said again
}

export function Announcements() {
  return (
    <div className="unseen" role="status" aria-live="polite" aria-atomic="true">
      {useValue(said)}
    </div>
  );
}
