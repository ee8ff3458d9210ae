import { useSyncExternalStore } from "react";
import type { Value } from "../api/value.ts";

/** The current value; the component renders again when it changes. */
export function useValue<T>(value: Value<T>): T {
  return useSyncExternalStore(value.subscribe, value.get);
}
