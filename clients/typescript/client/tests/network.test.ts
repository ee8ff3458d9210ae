import { machineNetwork } from "@colloquy/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

let page: EventTarget;
beforeEach(() => {
  page = new EventTarget();
  vi.useFakeTimers();
  vi.stubGlobal("addEventListener", page.addEventListener.bind(page));
  vi.stubGlobal("removeEventListener", page.removeEventListener.bind(page));
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Sleeps: the clock goes on, the timers do not. */
const sleep = (minutes: number) => vi.setSystemTime(Date.now() + minutes * 60_000);

test("a machine is awake again after a gap in its clock, and online after the event of that name", () => {
  const network = machineNetwork();
  const notified = vi.fn();
  const stop = network.subscribe(notified);
  vi.advanceTimersByTime(10 * 60_000);
  sleep(1); // a hidden tab: one tick a minute
  vi.advanceTimersByTime(5_000);
  expect(notified).toHaveBeenCalledTimes(0);
  sleep(10);
  vi.advanceTimersByTime(5_000);
  expect(notified).toHaveBeenCalledTimes(1);
  sleep(10);
  page.dispatchEvent(new Event("focus")); // before the next tick
  expect(notified).toHaveBeenCalledTimes(2);
  page.dispatchEvent(new Event("online"));
  expect(notified).toHaveBeenCalledTimes(3);
  stop();
  page.dispatchEvent(new Event("online"));
  expect(notified).toHaveBeenCalledTimes(3);
  expect(vi.getTimerCount()).toBe(0);
});

test("a page without a network is offline, Node is online", () => {
  const network = machineNetwork();
  vi.stubGlobal("navigator", { onLine: false });
  expect(network.online).toBe(false);
  vi.stubGlobal("navigator", undefined);
  expect(network.online).toBe(true);
});
